"""What a release looks like: its manifest and the order of its rows."""
