"""Releases that are streamed: the rules of batches, what is in memory, and a real S3-speaking server."""

from __future__ import annotations

import itertools
import json
import logging
import math
import pickle
import subprocess
import sys
import weakref
from collections import Counter
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.batches import Batch, OpenRelease, StreamedRelease, open_release, stream_release
from parallel_qa.pipeline.batches.stream import _Block
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.layout.manifest import sealed
from tests.pipeline.batches.conftest import write_release

SIZE = 16
BLOCKS = 6
WINDOW = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = {"small": 300, "large": 900}
    return write_release(tmp_path_factory.mktemp("streamed"), sources, blocks=BLOCKS, mixed=True, twice=3, seed=5)


@pytest.fixture(scope="module")
def streamed(folder: Path) -> StreamedRelease:
    return stream_release(folder, WINDOW)


@pytest.fixture(scope="module")
def opened(folder: Path) -> OpenRelease:
    return open_release(folder)


options = st.fixed_dictionaries(
    {
        "alpha": st.floats(0, 1),
        "seed": st.integers(0, 2**31),
        "batch_size": st.integers(1, 20),
        "pairs_of": st.sampled_from(["example", "batch"]),
    }
)


@given(options, st.integers(0, 2), st.integers(0, 59))
@settings(max_examples=40, deadline=None)
def test_batches_of_a_stream_keep_all_rules(
    streamed: StreamedRelease, opened: OpenRelease, given: dict[str, object], epoch: int, step: int
) -> None:
    batch = streamed.loader(**given).batch(epoch, step)
    links = opened.columns.links[batch.pair_rows]
    assert links[:, 0].tolist() == batch.query_rows and links[:, 1].tolist() == batch.passage_rows
    assert {opened.sources[number] for number in links[:, 4]} == {batch.source}
    assert len(set(batch.query_rows)) == len(set(batch.passage_rows)) == len(batch.queries) == given["batch_size"]
    answers: dict[int, set[int]] = {}
    for query, passage in opened.columns.links[:, :2].tolist():
        answers.setdefault(query, set()).add(passage)
    for example, query in enumerate(batch.query_rows):
        query_language, passage_language = batch.query_languages[example], batch.passage_languages[example]
        assert batch.queries[example] == f"Query: queries {query} {query_language}"
        assert batch.passages[example] == f"Passage: passages {batch.passage_rows[example]} {passage_language}"
        assert (query_language == passage_language) == (batch.kind == "monolingual")
        assert answers[query] & set(batch.passage_rows) == {batch.passage_rows[example]}


def drawn(release: StreamedRelease | OpenRelease, epochs: int = 1, **given: object) -> list[Batch]:
    loader = release.loader(batch_size=SIZE, seed=11, **given)
    return [batch for _ in range(epochs) for batch in loader]


def test_a_batch_is_the_same_however_it_is_reached(folder: Path) -> None:
    batches = drawn(stream_release(folder, WINDOW), epochs=2)
    loader = stream_release(folder, WINDOW).loader(batch_size=SIZE, seed=11)
    assert len(batches) == 2 * len(loader)
    for number in (0, 140, 3, 80, 79, 149):
        assert loader.batch(*divmod(number, len(loader))) == batches[number], number
    loader.load_state_dict(stream_release(folder, WINDOW).loader(batch_size=SIZE, seed=11).state_dict() | {"epoch": 1, "step": 5})
    assert next(iter(loader)) == batches[len(loader) + 5]
    assert next(iter(pickle.loads(pickle.dumps(loader)))) == batches[len(loader) + 6]


def test_shares_are_those_asked_for(streamed: StreamedRelease) -> None:
    """Each bound is five standard deviations wide: a right sampler fails less than once in a million seeds."""
    batches = drawn(streamed, epochs=20, alpha=0.3)
    total = len(batches)

    def close(count: int, out_of: int, share: float) -> bool:
        return abs(count - out_of * share) < 5 * math.sqrt(out_of * share * (1 - share))

    assert close(sum(batch.kind == "monolingual" for batch in batches), total, 0.3)
    pairs = {name: facts["provided"]["pairs"] for name, facts in streamed.manifest["sources"].items()}
    assert pairs == {"small": 318, "large": 900}
    assert close(sum(batch.source == "small" for batch in batches), total, 318 / 1218)
    even = drawn(streamed, epochs=20, source_cap=318)
    assert close(sum(batch.source == "small" for batch in even), total, 0.5)
    languages = Counter(batch.query_languages[0] for batch in batches if batch.kind == "monolingual")
    assert all(close(languages[code], languages.total(), 0.25) for code in streamed.languages)


def test_every_block_is_read_once_an_epoch_and_few_are_in_memory(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "parallel_qa")
    loader = stream_release(folder, WINDOW).loader(batch_size=SIZE)
    for epoch in (0, 1):
        windows = [tuple(loader.blocks_at(epoch, step)) for step in range(len(loader))]
        moves = [window for window, _ in itertools.groupby(windows)]
        assert sorted(window[0] for window in moves) == list(range(BLOCKS))
        assert all(one[1:] == other[:-1] for one, other in itertools.pairwise(moves))
        assert min(Counter(windows).values()) >= len(loader) // BLOCKS - 2
    assert loader.blocks_at(0, 0) != loader.blocks_at(1, 0)
    blocks: dict[int, weakref.ref[_Block]] = {}
    most, seen = 0, set()
    for batch in loader:
        blocks |= {id(future.result()): weakref.ref(future.result()) for future in loader._blocks.values()}
        most = max(most, sum(block() is not None for block in blocks.values()))
        seen.update(batch.pair_rows)
    assert most == WINDOW + 1
    assert len(seen) > 0.5 * loader.release.manifest["rows"]["pairs"]
    left_out = [int(record.message.split(" pairs, ")[1].split()[0]) for record in caplog.records]
    # Three queries of each block have a passage in the next one, which is in the window or not.
    assert len(left_out) == BLOCKS and set(left_out) <= {3, 6}


def test_a_window_of_all_blocks_is_the_whole_release(folder: Path) -> None:
    assert {row for batch in drawn(stream_release(folder, 99), epochs=12) for row in batch.pair_rows} == set(range(1218))


def test_a_stream_from_s3_is_that_of_the_same_files_on_disk(folder: Path, bucket: str) -> None:
    fsspec.filesystem("s3").put(f"{folder}/", f"{bucket}/release/", recursive=True)
    remote = stream_release(f"s3://{bucket}/release", WINDOW)
    assert drawn(remote, epochs=2) == drawn(stream_release(folder, WINDOW), epochs=2)


WORKERS = """
import sys, torch
from parallel_qa.pipeline.batches import stream_release
from parallel_qa.pipeline.batches.adapters.data_loading import BatchDataset

loader = stream_release(sys.argv[1], 2).loader(batch_size=16, seed=2)
loader.batch(0, 0)
loaded = list(torch.utils.data.DataLoader(BatchDataset(loader), batch_size=None, num_workers=2, multiprocessing_context=sys.argv[2]))
assert loaded == [loader.batch(0, step) for step in range(len(loader))]
print(len(loaded))
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_stream_for_themselves(folder: Path, bucket: str, start: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    fsspec.filesystem("s3").put(f"{folder}/", f"{bucket}/release/", recursive=True)
    script = tmp_path / "script.py"
    script.write_text("if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in WORKERS.splitlines()))
    command = [sys.executable, str(script), f"s3://{bucket}/release", start]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, f"{1218 // 16}\n"), ended.stderr


def test_only_languages_that_batches_may_have_are_read(folder: Path, tmp_path: Path) -> None:
    fsspec.filesystem("file").put(f"{folder}/", f"{tmp_path}/part/", recursive=True)
    for file in tmp_path.glob("part/*/tha_Thai/*.parquet"):
        file.unlink()
    batches = drawn(stream_release(tmp_path / "part", WINDOW), languages=["de", "ar"])
    assert {code for batch in batches for code in batch.query_languages} == {"deu_Latn", "arb_Arab"}
    with pytest.raises(UserError, match=r"tha_Thai/0000\d\.parquet is missing"):
        stream_release(tmp_path / "part", WINDOW).loader(batch_size=SIZE)


def test_a_damaged_shard_is_named_when_it_is_read_and_can_be_mended(folder: Path, tmp_path: Path) -> None:
    fsspec.filesystem("file").put(f"{folder}/", f"{tmp_path}/damaged/", recursive=True)
    loader = stream_release(tmp_path / "damaged", WINDOW).loader(batch_size=SIZE)
    last = loader.blocks_at(0, len(loader) - 1)[0]
    path = tmp_path / f"damaged/passages/arb_Arab/{last:05d}.parquet"
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + b"?")
    with pytest.raises(UserError, match=rf"passages/arb_Arab/{last:05d}\.parquet is damaged"):
        list(loader)
    path.write_bytes(sound)
    assert loader.batch(0, len(loader) - 1) == stream_release(folder, WINDOW).loader(batch_size=SIZE).batch(0, len(loader) - 1)


def test_a_language_that_a_window_has_too_little_of_is_said_before_the_first_batch(tmp_path: Path) -> None:
    """A release of which little survived in Thai, by what its manifest says."""
    folder = write_release(tmp_path / "release", {"only": 1200}, blocks=6, seed=7)
    manifest = json.loads((folder / "manifest.json").read_text())
    nothing, little = ({"read": 1200, "kept": kept, "rejected": {"round_trip": 1200 - kept}} for kept in (1200, 90))
    manifest["sources"]["only"]["languages"] = {"tha_Thai": dict.fromkeys(("queries", "passages"), nothing) | {"pairs": little}}
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))
    release = stream_release(folder, 2)
    with pytest.raises(UserError, match="source 'only' has 90 pairs in tha_Thai in 6 blocks, of which a window has 2: too few for batches"):
        release.loader(batch_size=SIZE)
    for other in ({"mode": "cross-lingual"}, {"language_weights": {"th": 0}}, {"batch_size": 15}):
        release.loader(**{"batch_size": SIZE} | other)


@pytest.mark.parametrize(
    ("window", "given", "message"),
    [
        (0, {}, "window: 0 blocks"),
        (1, {"negatives": 1}, "negatives: those of a streamed release are mostly in blocks that are not in memory"),
        (1, {"batch_size": 40}, "source 'small' has 318 pairs in 6 blocks, of which a window has 1: too few for batches of 40. Widen"),
        (6, {"batch_size": 400}, "batch_size: 400 is more than"),
        (2, {"languages": ["fr"]}, "languages: fra_Latn is not in this release"),
        (2, {"alpha": 2}, "batches: alpha.start"),
    ],
)
def test_what_cannot_be_streamed_is_said_before_the_first_batch(folder: Path, window: int, given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        stream_release(folder, window).loader(**{"batch_size": SIZE} | given)


def test_a_source_that_a_window_has_too_little_of_is_left_out_there_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sources that do not take turns by chance: block 0 has 200 pairs of one, block 1 the other 10, and that is all."""
    release = stream_release(write_release(tmp_path / "release", {"small": 210, "large": 990}, blocks=6, seed=6), 2)
    loader = release.loader(batch_size=SIZE)
    sources = {True: Counter[str](), False: Counter[str]()}
    for _ in range(4):
        for step, batch in enumerate(loader):
            sources[0 in loader.blocks_at(loader.state_dict()["epoch"], step)][batch.source] += 1
    assert sources[True]["small"] > 0 and sources[True]["large"] > 0
    assert set(sources[False]) == {"large"}
    assert "no batches of this source here: small: batch_size: 16 is more than" in caplog.text


def test_a_state_of_a_stream_is_not_that_of_an_open_release(folder: Path) -> None:
    state = open_release(folder).loader(batch_size=SIZE).state_dict()
    with pytest.raises(UserError, match="this state was taken with other release"):
        stream_release(folder, WINDOW).loader(batch_size=SIZE).load_state_dict(state)
