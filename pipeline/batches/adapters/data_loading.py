"""The loader's batches through PyTorch's `DataLoader` (extra `train`): as a stream of batches, or as examples with their sampler."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.utils.data

from parallel_qa.pipeline.batches.loader import Batch, Loader
from parallel_qa.pipeline.errors import UserError


class BatchDataset(torch.utils.data.IterableDataset[Batch]):  # type: ignore[misc]
    """One epoch of batches: give it to a `DataLoader`, or to torchdata's `StatefulDataLoader`, with `batch_size=None`.

    Of n workers each makes every n-th batch, and they come out in order. With several ranks each gets its part of every batch, so
    that the batches are the same for any number of ranks and workers.
    """

    def __init__(self, loader: Loader, rank: int = 0, ranks: int = 1) -> None:
        """Raises UserError where `rank` is none of the `ranks`, or they are more than a batch has examples."""
        _check_ranks(rank, ranks, loader)
        self._loader = loader
        self._rank = rank
        self._ranks = ranks
        self._begin = _shared_numbers(0, 0)
        self._resumed: tuple[int, int] | None = None
        self._next = (0, 0)

    def __len__(self) -> int:
        """Batches of the next iteration."""
        return max(0, len(self._loader) - self._beginning()[1])

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """The epoch that every later iteration goes through, from the batch `start` on. Workers see it, persistent ones too."""
        self._begin.copy_(torch.tensor([epoch, start]))
        self._resumed = None
        self._next = (epoch, start)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch of the iteration is, in the process that iterates: a worker has a state of its own."""
        epoch, step = self._next
        return self._loader.state_dict() | {"epoch": epoch, "step": step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on there in the next iteration; later ones begin where `set_epoch` said. Raises UserError as `Loader` does."""
        self._loader.load_state_dict(state)
        self._resumed = self._next = int(state["epoch"]), int(state["step"])

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = self._next = self._beginning()
        self._resumed = None
        return self._batches(epoch, start)

    def _beginning(self) -> tuple[int, int]:
        if self._resumed:
            return self._resumed
        epoch, start = self._begin.tolist()
        return epoch, start

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(start, len(self._loader) - first, every):
            batch = self._loader.batch(epoch, step + first).part(self._rank, self._ranks)
            self._next = (epoch, step + every)
            yield batch


class ExampleDataset(torch.utils.data.Dataset[dict[str, Any]]):  # type: ignore[misc]
    """The examples of one epoch by number, batch after batch: `DataLoader(dataset, batch_sampler=ExampleBatches(dataset))`.

    An example has `query`, `passage`, `kind`, `source`, the languages, the rows and, if hard negatives are asked for, so many columns
    `negative_1`, …: one that has fewer is given negatives of other examples of the batch, then their passages, none of
    which is known to answer its query.
    """

    def __init__(self, loader: Loader) -> None:
        """Raises UserError where hard negatives are asked for and cannot be given to every example."""
        settings = loader.settings
        if settings.negatives and settings.batch_size == 1:
            raise UserError("batch_size: with negatives it must be at least 2, so that an example without any can be given others'")
        self.loader = loader
        self.batch_size = settings.batch_size
        self._epoch = _shared_numbers(0)
        self._last_batch: tuple[tuple[int, int], list[dict[str, Any]]] | None = None

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self.loader) * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """The epoch that examples are of from now on. Workers see it, persistent ones too."""
        self._epoch.copy_(torch.tensor([epoch]))

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise IndexError(f"{number} is none of {len(self)} examples")
        step, place = divmod(number, self.batch_size)
        return self._examples(int(self._epoch), step)[place]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [self[number] for number in numbers]

    def _examples(self, epoch: int, step: int) -> list[dict[str, Any]]:
        if self._last_batch is None or self._last_batch[0] != (epoch, step):
            self._last_batch = (epoch, step), _examples_of(self.loader.batch(epoch, step), self.loader.settings.negatives)
        return self._last_batch[1]


class ExampleBatches(torch.utils.data.Sampler[list[int]]):  # type: ignore[misc]
    """The numbers of the examples of each batch, in order. To skip a batch costs no draw.

    Under Accelerate leave `ranks` at 1 and set its `split_batches`: it gives each process its part.
    """

    drop_last = True
    """There is never a smaller batch; Accelerate asks."""

    def __init__(self, dataset: ExampleDataset, rank: int = 0, ranks: int = 1) -> None:
        """Raises UserError as `BatchDataset` does."""
        _check_ranks(rank, ranks, dataset.loader)
        self._dataset = dataset
        size = dataset.batch_size
        self._part = range(size * rank // ranks, size * (rank + 1) // ranks)
        self.batch_size = len(self._part)

    def __len__(self) -> int:
        return len(self._dataset.loader)

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(len(self)):
            first = step * self._dataset.batch_size
            yield list(range(first + self._part.start, first + self._part.stop))

    def set_epoch(self, epoch: int) -> None:
        """As of the data set."""
        self._dataset.set_epoch(epoch)


def _shared_numbers(*numbers: int) -> torch.Tensor:
    """Numbers that workers see change."""
    return torch.tensor(numbers, dtype=torch.int64).share_memory_()


def _check_ranks(rank: int, ranks: int, loader: Loader) -> None:
    if ranks < 1 or not 0 <= rank < ranks:
        raise UserError(f"rank: {rank} is none of {ranks} ranks; they are counted from 0")
    if ranks > loader.settings.batch_size:
        raise UserError(f"ranks: {ranks} cannot share a batch of {loader.settings.batch_size}; choose a batch_size of at least {ranks}")


def _examples_of(batch: Batch, negatives: int) -> list[dict[str, Any]]:
    columns: dict[str, Sequence[Any]] = {
        "query": batch.queries,
        "passage": batch.passages,
        "kind": [batch.kind] * len(batch.queries),
        "source": [batch.source] * len(batch.queries),
        "query_language": batch.query_languages,
        "passage_language": batch.passage_languages,
        "pair_row": batch.pair_rows,
        "query_row": batch.query_rows,
        "passage_row": batch.passage_rows,
    }
    if negatives:
        filled = [_enough_negatives(batch, number, negatives) for number in range(len(batch.queries))]
        columns |= {f"negative_{number + 1}": [texts[number] for texts in filled] for number in range(negatives)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _enough_negatives(batch: Batch, number: int, count: int) -> list[str]:
    """`count` negatives of an example: its own, then those of the others, from the next one on, then the others' passages."""
    own = batch.negatives[number]
    if len(own) >= count:
        return own[:count]
    others = [*range(number + 1, len(batch.queries)), *range(number)]
    lent = itertools.chain((text for other in others for text in batch.negatives[other]), (batch.passages[other] for other in others))
    return [*own, *itertools.islice(itertools.cycle(lent), count - len(own))]
