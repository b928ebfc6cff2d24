"""What a release looks like: its columns, the order of its rows, its manifest, and what each file says of it."""
