"""Hybrid batches (arXiv 2408.10536) from a release, without PyTorch; `pipeline.batches.torch` is for those who have it."""

from pipeline.batches.release import Batch, Loader, OpenRelease, open_release, release_store
from pipeline.batches.settings import Alpha, AlphaOf, BatchSettings

__all__ = ["Alpha", "AlphaOf", "Batch", "BatchSettings", "Loader", "OpenRelease", "open_release", "release_store"]
