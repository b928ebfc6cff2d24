"""Prefect flows: order, retries, artifacts. The work itself is in `pipeline`."""
