"""The loader for training libraries."""
