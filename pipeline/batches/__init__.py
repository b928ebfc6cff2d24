"""Hybrid batches (arXiv 2408.10536) from a release; numpy and pyarrow only."""

from pipeline.batches.release import OpenRelease, open_release, release_store
from pipeline.batches.sampling import Batch

__all__ = ["Batch", "OpenRelease", "open_release", "release_store"]
