"""Hybrid batches (arXiv 2408.10536) from a release, without PyTorch; `pipeline.batches.torch` is for those who have it."""

from pipeline.batches.loader import Batch, Loader
from pipeline.batches.release import OpenRelease, open_release, release_store
from pipeline.batches.settings import Alpha, AlphaOf, BatchSettings
from pipeline.batches.stream import StreamedRelease, stream_release

__all__ = [
    "Alpha",
    "AlphaOf",
    "Batch",
    "BatchSettings",
    "Loader",
    "OpenRelease",
    "StreamedRelease",
    "open_release",
    "release_store",
    "stream_release",
]
