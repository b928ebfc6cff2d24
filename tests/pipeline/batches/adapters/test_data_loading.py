"""The loader's own batches through PyTorch and what stands on it, with any number of workers and ranks.

What forks workers runs in a process of its own: this one has threads of many libraries.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.batches import Batch, Loader, OpenRelease, open_release
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE

torch = pytest.importorskip("torch")

from parallel_qa.pipeline.batches.adapters.data_loading import BatchDataset, ExampleBatches, ExampleDataset  # noqa: E402

SIZE = 50
STEPS = 1200 // SIZE


@pytest.fixture
def loader(made_release: OpenRelease) -> Loader:
    return made_release.loader(batch_size=SIZE, seed=2)


def epoch(loader: Loader, number: int) -> list[Batch]:
    return [loader.batch(number, step) for step in range(len(loader))]


def test_a_length_is_that_of_the_next_iteration(loader: Loader) -> None:
    dataset = BatchDataset(loader)
    assert len(dataset) == STEPS and list(dataset) == epoch(loader, 0)
    dataset.set_epoch(3, start=4)
    assert len(dataset) == STEPS - 4
    assert list(dataset) == list(dataset) == epoch(loader, 3)[4:]
    dataset.set_epoch(4)
    assert len(dataset) == STEPS and list(dataset) == epoch(loader, 4)


@given(st.integers(0, STEPS), st.integers(0, 3), st.integers(1, 7))
@settings(max_examples=20)
def test_a_state_goes_on_once_and_then_epochs_are_whole(made_release: OpenRelease, taken: int, at: int, ranks: int) -> None:
    loaders = [made_release.loader(batch_size=SIZE, seed=2) for _ in range(2)]
    first = BatchDataset(loaders[0])
    first.set_epoch(at)
    stream = iter(first)
    got = [next(stream) for _ in range(taken)]
    second = BatchDataset(loaders[1], ranks - 1, ranks)
    second.set_epoch(at)
    second.load_state_dict(first.state_dict())
    assert len(second) == STEPS - taken
    assert list(second) == [batch.part(ranks - 1, ranks) for batch in stream]
    assert got == epoch(loaders[1], at)[:taken]
    assert len(second) == STEPS and next(iter(second)) == loaders[1].batch(at, 0).part(ranks - 1, ranks)


def test_a_state_of_other_settings_is_refused(made_release: OpenRelease, loader: Loader) -> None:
    state = BatchDataset(made_release.loader(batch_size=SIZE, seed=3)).state_dict()
    with pytest.raises(UserError, match="this state was taken with other settings"):
        BatchDataset(loader).load_state_dict(state)


@pytest.mark.parametrize("ranks", [1, 2, 3, 50])
def test_ranks_together_have_every_batch_whole(loader: Loader, ranks: int) -> None:
    examples = ExampleDataset(loader)
    examples.set_epoch(1)
    streams: list[BatchDataset] = [BatchDataset(loader, rank, ranks) for rank in range(ranks)]
    for stream in streams:
        stream.set_epoch(1)
    numbers = [list(ExampleBatches(examples, rank, ranks)) for rank in range(ranks)]
    for step, parts in enumerate(zip(*streams, strict=True)):
        whole = loader.batch(1, step)
        assert [query for part in parts for query in part.queries] == whole.queries
        shares = [examples.__getitems__(of_rank[step]) for of_rank in numbers]
        assert [[example["query"] for example in share] for share in shares] == [part.queries for part in parts]
    assert [len(of_rank) for of_rank in numbers] == [STEPS] * ranks


SPAWNED = """
import sys
from torch.utils.data import DataLoader
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.batches.adapters.data_loading import BatchDataset, ExampleBatches, ExampleDataset

if __name__ == "__main__":
    loader = open_release(sys.argv[1]).loader(batch_size=50, seed=2)
    whole, examples = BatchDataset(loader), ExampleDataset(loader)
    options = {"num_workers": 2, "multiprocessing_context": "spawn"}
    for dataset, batches in (
        (whole, DataLoader(whole, batch_size=None, **options)),
        (examples, DataLoader(examples, batch_sampler=ExampleBatches(examples), **options)),
    ):
        dataset.set_epoch(1)
        queries = [list(batch.queries if dataset is whole else batch["query"]) for batch in batches]
        print(len(queries), queries == [loader.batch(1, step).queries for step in range(len(loader))])
"""


def test_workers_may_be_spawned(make_release: Callable[..., Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SPAWNED)
    command = [sys.executable, str(script), str(make_release(sources={"small": 300, "large": 900}))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(HOUSE)})
    assert (ended.returncode, ended.stdout) == (0, f"{STEPS} True\n" * 2), ended.stderr


@pytest.mark.parametrize(
    ("rank", "ranks", "message"),
    [
        (2, 2, "rank: 2 is none of 2 ranks; they are counted from 0"),
        (-1, 2, "rank: -1 is none of 2 ranks"),
        (0, 0, "rank: 0 is none of 0 ranks"),
        (0, 51, "ranks: 51 cannot share a batch of 50; choose a batch_size of at least 51"),
    ],
)
def test_ranks_that_make_no_sense_are_named(loader: Loader, rank: int, ranks: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        BatchDataset(loader, rank, ranks)
    with pytest.raises(UserError, match=message):
        ExampleBatches(ExampleDataset(loader), rank, ranks)


def test_examples_are_those_of_the_batches_by_number(loader: Loader) -> None:
    examples = ExampleDataset(loader)
    examples.set_epoch(2)
    assert len(examples) == STEPS * SIZE and len(ExampleBatches(examples)) == STEPS
    batch = loader.batch(2, 1)
    assert examples[SIZE + 7] == {
        "query": batch.queries[7],
        "passage": batch.passages[7],
        "kind": batch.kind,
        "source": batch.source,
        "query_language": batch.query_languages[7],
        "passage_language": batch.passage_languages[7],
        "pair_row": batch.pair_rows[7],
        "query_row": batch.query_rows[7],
        "passage_row": batch.passage_rows[7],
    }
    for number in (-1, len(examples)):
        with pytest.raises(IndexError):
            examples[number]


def test_an_example_without_so_many_negatives_is_given_those_of_others(make_release: Callable[..., Path]) -> None:
    loader = open_release(make_release(sources={"only": 180}, survival=0.5, seed=2)).loader(batch_size=8, negatives=4)
    examples = ExampleDataset(loader)
    lent = 0
    for step in range(len(loader)):
        batch = loader.batch(0, step)
        rows = examples.__getitems__(range(step * 8, step * 8 + 8))
        for place, (row, own) in enumerate(zip(rows, batch.negatives, strict=True)):
            given = [row[f"negative_{number}"] for number in (1, 2, 3, 4)]
            others = [*range(place + 1, 8), *range(place)]
            pool = [text for other in others for text in batch.negatives[other]] + [batch.passages[other] for other in others]
            assert given == (own + pool)[:4] and batch.passages[place] not in given
            lent += 4 - len(own)
    assert lent > 0


def test_negatives_that_cannot_be_given_are_refused(made_release: OpenRelease, make_release: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="batch_size: with negatives it must be at least 2"):
        ExampleDataset(made_release.loader(batch_size=1, negatives=1))
    release = open_release(make_release(sources={"only": 60}, negatives=(), seed=5))
    with pytest.raises(UserError, match="negatives: this release has none; set it to 0, or mine them first"):
        ExampleDataset(release.loader(batch_size=4, negatives=1))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Run a program in a process of its own, or in several that know of each other, in an empty folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(HOUSE)}

    def run(program: str, *arguments: object, processes: int = 0) -> None:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--no-python", sys.executable]
        command = [sys.executable, *(launcher if processes else []), "-W", "ignore", "-c", program, *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        assert ended.returncode == 0, ended.stderr[-3000:]

    return run


def test_a_stateful_data_loader_goes_on_at_the_very_next_batch(folder: Path, run: Callable[..., None]) -> None:
    pytest.importorskip("torchdata")
    program = """
import itertools, sys
from torchdata.stateful_dataloader import StatefulDataLoader
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.batches.adapters.data_loading import BatchDataset

release = open_release(sys.argv[1])
for workers, persistent in ((0, False), (2, False), (2, True)):
    for taken in (0, 1, 7, 23, 24):
        def made():
            dataset = BatchDataset(release.loader(batch_size=50, seed=2), rank=1, ranks=3)
            dataset.set_epoch(3)
            return dataset, StatefulDataLoader(dataset, batch_size=None, num_workers=workers, persistent_workers=persistent)

        _, batches = made()
        got = list(itertools.islice(batches, taken))
        state = batches.state_dict()
        dataset, batches = made()
        batches.load_state_dict(state)
        for epoch in (3, 4):
            dataset.set_epoch(epoch)
            got += batches
        own = release.loader(batch_size=50, seed=2)
        assert got == [own.batch(epoch, step).part(1, 3) for epoch in (3, 4) for step in range(24)], (workers, persistent, taken)
"""
    run(program, folder)


def snippets() -> dict[str, list[str]]:
    """The Python of docs/batches.md by library."""
    section = (HOUSE / "docs/batches.md").read_text(encoding="utf-8").partition("## Training libraries\n")[2].partition("\n## ")[0]
    found: dict[str, list[str]] = {}
    for library, code in re.findall(r"^\*\*([\w-]+)\*\*.*?^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        found.setdefault(library, []).append(code)
    return found


BEFORE = """
import sys
import torch
from parallel_qa.pipeline.batches import open_release

loader = open_release(sys.argv[1]).loader(batch_size=50, seed=2)
net = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-9)
seen, saved, stop_at = [], None, None

def train(queries, passages):
    if len(seen) == stop_at:
        raise KeyboardInterrupt
    loss = net(torch.tensor([[float(len(text))] for text in [*queries, *passages]])).mean()
    loss.backward()
    optimizer.step()
    seen.append((list(queries), list(passages)))

def own(*epochs, rank=0, ranks=1):
    batches = [loader.batch(epoch, step).part(rank, ranks) for epoch in epochs for step in range(24)]
    return [(batch.queries, batch.passages) for batch in batches]
"""

LIGHTNING = """
import pytorch_lightning as lightning

class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(1, 1)
    def training_step(self, batch):
        seen.append((batch.queries, batch.passages))
        return self.net(torch.tensor([[float(len(text))] for text in batch.queries])).mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-9)

model = Model()
"""

RESUMED = """
assert seen == own(0, 1)
quiet = dict(logger=False, enable_progress_bar=False, default_root_dir=sys.argv[2])
settings = dict(reload_dataloaders_every_n_epochs=1, use_distributed_sampler=False, **quiet)
for steps in (7, 24, 30):
    seen.clear()
    keep = lightning.callbacks.ModelCheckpoint(sys.argv[2], filename=f"at-{steps}", every_n_train_steps=steps)
    lightning.Trainer(max_steps=steps, callbacks=[keep], **settings).fit(Model(), datamodule=Data())
    assert seen == own(0, 1)[:steps], steps
    lightning.Trainer(max_epochs=3, enable_checkpointing=False, **settings).fit(
        Model(), datamodule=Data(), ckpt_path=f"{sys.argv[2]}/at-{steps}.ckpt"
    )
    assert seen == own(0, 1, 2), (steps, len(seen))
"""


@pytest.fixture
def folder(make_release: Callable[..., Path]) -> Path:
    return make_release(sources={"small": 300, "large": 900})


def test_what_is_documented_for_pytorch_and_torchdata(folder: Path, run: Callable[..., None]) -> None:
    pytest.importorskip("torchdata")
    whole, examples = snippets()["PyTorch"]
    stopped = """
seen, stop_at = [], 31
try:
    exec(code)
except KeyboardInterrupt:
    stop_at = None
exec(code)
assert seen == own(0, 1)
"""
    checked = f"assert seen == own(0, 1)\nseen.clear()\n{examples}\nassert seen == own(0, 1)\n"
    run(f"{BEFORE}{whole}\n{checked}\ncode = {snippets()['torchdata'][0]!r}{stopped}", folder)


def test_what_is_documented_for_accelerate(folder: Path, run: Callable[..., None]) -> None:
    pytest.importorskip("accelerate")
    adapters = "from parallel_qa.pipeline.batches.adapters.data_loading import ExampleBatches, ExampleDataset"
    imports = f"from torch.utils.data import DataLoader\n{adapters}\n"
    before = f"{BEFORE}{imports}\nexamples = ExampleDataset(loader)\n"
    check = """
assert accelerator.num_processes == 2
assert seen == own(0, 1, rank=accelerator.process_index, ranks=2)[5:]
accelerator.end_training()
"""
    run(f"{before}{snippets()['Accelerate'][0]}{check}", folder, processes=2)


def test_what_is_documented_for_lightning(folder: Path, tmp_path: Path, run: Callable[..., None]) -> None:
    pytest.importorskip("pytorch_lightning")
    adapters = "from parallel_qa.pipeline.batches.adapters.data_loading import BatchDataset"
    imports = f"from torchdata.stateful_dataloader import StatefulDataLoader\n{adapters}\n"
    run(f"{BEFORE}{imports}{LIGHTNING}{snippets()['Lightning'][0]}{RESUMED}", folder, tmp_path)


def test_every_library_named_is_tested() -> None:
    assert {library: len(codes) for library, codes in snippets().items()} == {
        "PyTorch": 2,
        "torchdata": 1,
        "Accelerate": 1,
        "Lightning": 1,
        "sentence-transformers": 1,
    }
