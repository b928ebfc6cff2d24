"""Sources: a data card and its files in, clean unique English texts and pairs out."""
