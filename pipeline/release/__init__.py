"""Releases: parallel Parquet shards, a manifest that proves them, and a dataset card."""
