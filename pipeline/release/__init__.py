"""Releases: parallel Parquet shards, a manifest that they are checked against, and a dataset card."""
