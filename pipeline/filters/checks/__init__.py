"""One module a check: a batch of texts in, a column of scores out."""
