"""What `verify` looks at, one kind of claim a file."""
