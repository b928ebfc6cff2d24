"""Batches for PyTorch: a data set for `DataLoader`, and a sampler for the trainer of sentence-transformers (extra `train`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch.utils.data

from pipeline.batches.loader import Batch, Loader


class BatchDataset(torch.utils.data.IterableDataset[Batch]):  # type: ignore[misc]
    """One epoch of batches: give it to a `DataLoader` with `batch_size=None`.

    Each worker of the `DataLoader` makes every so-manieth batch, and they come out in order. With several ranks each gets its
    part of every batch, so that the batches are the same for any number of ranks and workers.
    """

    def __init__(self, loader: Loader, rank: int = 0, ranks: int = 1) -> None:
        self._loader = loader
        self._rank = rank
        self._ranks = ranks
        self._epoch = 0
        self._start = 0

    def __len__(self) -> int:
        return len(self._loader) - self._start

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """The epoch that the next iteration goes through, from the batch `start` on."""
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self._start + first, len(self._loader), every):
            yield self._loader.batch(self._epoch, step).part(self._rank, self._ranks)


class StatefulBatches:
    """An endless stream of batches that knows where it is: `state_dict` and `load_state_dict`, as torchdata, Lightning and
    Accelerate ask for them."""

    def __init__(self, loader: Loader, rank: int = 0, ranks: int = 1) -> None:
        self._loader = loader
        self._rank = rank
        self._ranks = ranks

    def __iter__(self) -> Iterator[Batch]:
        while True:
            for batch in self._loader:
                yield batch.part(self._rank, self._ranks)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch is."""
        return self._loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises UserError as `Loader.load_state_dict` does."""
        self._loader.load_state_dict(state)
