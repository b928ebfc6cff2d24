"""The same batches through PyTorch's own loading, with any number of workers and ranks."""

from __future__ import annotations

import itertools

import pytest

from pipeline.batches import OpenRelease

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gives_the_loaders_own_batches(made_release: OpenRelease, workers: int) -> None:
    from pipeline.batches.torch import BatchDataset

    loader = made_release.loader(batch_size=50, seed=2)
    dataset = BatchDataset(loader)
    dataset.set_epoch(3, start=4)
    loaded = list(
        torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context="fork" if workers else None)
    )
    assert loaded == [loader.batch(3, step) for step in range(4, len(loader))]
    assert len(loaded) == len(dataset) == len(loader) - 4


def test_ranks_together_have_every_batch_whole(made_release: OpenRelease) -> None:
    from pipeline.batches.torch import BatchDataset

    loader = made_release.loader(batch_size=50, seed=2)
    ranks = [list(BatchDataset(loader, rank, 3)) for rank in range(3)]
    for step, parts in enumerate(zip(*ranks, strict=True)):
        assert [query for part in parts for query in part.queries] == loader.batch(0, step).queries


def test_an_endless_stream_goes_on_where_its_state_was_taken(made_release: OpenRelease) -> None:
    from pipeline.batches.torch import StatefulBatches

    first = StatefulBatches(made_release.loader(batch_size=50, seed=2))
    stream = iter(first)
    taken = list(itertools.islice(stream, 30))
    second = StatefulBatches(made_release.loader(batch_size=50, seed=2))
    second.load_state_dict(first.state_dict())
    assert list(itertools.islice(second, 5)) == list(itertools.islice(stream, 5))
    assert len(taken) == 30 > len(made_release.loader(batch_size=50))
