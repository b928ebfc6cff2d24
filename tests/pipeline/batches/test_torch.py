"""The same batches through PyTorch's own loading, with any number of workers and ranks."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.batches import OpenRelease

torch = pytest.importorskip("torch")


SCRIPT = """
import sys, torch
from pipeline.batches import open_release
from pipeline.batches.torch import BatchDataset

loader = open_release(sys.argv[1]).loader(batch_size=50, seed=2)
dataset = BatchDataset(loader)
dataset.set_epoch(3, start=4)
loaded = list(torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=int(sys.argv[2])))
assert loaded == [loader.batch(3, step) for step in range(4, len(loader))]
assert len(loaded) == len(dataset) == len(loader) - 4
print(len(loaded))
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gives_the_loaders_own_batches(make_release: Callable[..., Path], workers: int) -> None:
    """In a process of its own: workers are forked, and this one has threads of many libraries."""
    folder = make_release(sources={"small": 300, "large": 900})
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(folder), str(workers)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, f"{1200 // 50 - 4}\n"), ended.stderr


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
