"""Hybrid batches (arXiv 2408.10536) from a release, without PyTorch; `adapters` are for those who have it."""

from parallel_qa.pipeline.batch_settings import Alpha, AlphaOf, BatchSettings
from parallel_qa.pipeline.batches.loader import Batch, Loader
from parallel_qa.pipeline.batches.opening import OpenRelease, open_release, release_store
from parallel_qa.pipeline.batches.stream import StreamedRelease, stream_release

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
