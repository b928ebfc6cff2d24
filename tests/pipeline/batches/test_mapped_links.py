"""Pairs mapped into memory: what is written shard by shard is what all of them in memory give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.batches import OpenRelease, open_release
from parallel_qa.pipeline.batches import links as links_module
from parallel_qa.pipeline.batches.links import PairIndex, index_from, index_parts, pairs_in_memory
from parallel_qa.pipeline.batches.loader import release_identity
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import Environment


def assert_same_index(one: PairIndex, other: PairIndex) -> None:
    for name in ("source_rows", "sampled_bits"):
        for of_one, of_other in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(of_one, of_other, name)
    for name in ("kept", "has_other_answers", "answers", "sizes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


def cache_of(release: OpenRelease) -> Path:
    return Environment().cache / "releases" / release_identity(release.manifest) / "pairs"


def test_the_files_hold_what_the_shards_hold(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"small": 90, "large": 210}, blocks=5, mixed=True, twice=4, seed=41))
    pairs = release.columns
    shards = list(release._reader.shards("pairs"))
    assert pairs.query.tolist() == [row for shard in shards for row in shard["query_row"].to_pylist()]
    assert pairs.passage_bits.tolist() == [bits for shard in shards for bits in shard["passage_langs"].to_pylist()]
    names = [release.sources[number] for number in pairs.source.tolist()]
    assert names == [name for shard in shards for name in shard["source"].to_pylist()]
    begins = [0, *pairs.negative_ends.tolist()]
    negatives = [pairs.negative_rows[start:end].tolist() for start, end in zip(begins, pairs.negative_ends.tolist(), strict=False)]
    assert negatives == [rows for shard in shards for rows in shard["negative_rows"].to_pylist()]
    assert_same_index(pairs.index, pairs_in_memory(pairs.links, 2, 4).index)
    assert int(pairs.index.has_other_answers.sum()) == len(pairs.index.answers) == 2 * 4 * 5


link = st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 7), st.integers(0, 7), st.integers(0, 2))


@given(st.lists(st.lists(link), max_size=5), st.integers(1, 4))
@settings(max_examples=60)
def test_parts_give_the_index_of_the_whole(rows: list[list[tuple[int, ...]]], sample: int) -> None:
    parts = [np.array(part, np.int64).reshape(-1, 5) for part in rows]
    for number, part in enumerate(parts):
        part[:, 0] += 6 * number  # a query is in one part
    whole = np.concatenate([np.zeros((0, 5), np.int64), *parts])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(links_module, "SAMPLE", sample)
        expected = pairs_in_memory(whole, 3, 3).index
        sizes = np.bincount(whole[:, 4], minlength=3).tolist()
        pieces = list(index_parts([np.zeros((0, 5), np.int64), *parts], sizes, 3))
    assert_same_index(index_from({name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}, 3, 3), expected)
    for source, size in enumerate(sizes):
        rows_of = np.flatnonzero(whole[:, 4] == source)
        assert expected.source_rows[source].tolist() == rows_of.tolist()
        assert expected.sampled_bits[source].tolist() == whole[rows_of[:: 1 + size // sample], 2:4].tolist()
    counts = np.bincount(whole[:, 0], minlength=1)
    assert expected.has_other_answers.tolist() == [counts[query] > 1 for query in whole[:, 0]]
    assert sorted(expected.answers.tolist()) == sorted(whole[expected.has_other_answers, :2].tolist())


def test_a_query_in_two_shards_is_refused() -> None:
    links = np.array([[0, 0, 1, 1, 0], [1, 1, 1, 1, 0]], np.int64)
    with pytest.raises(UserError, match="pairs: query 1 is in several shards: this release was not built by `publish`"):
        list(index_parts([links, links[1:]], [3], 1))


def test_what_a_kill_left_is_written_over_and_an_old_cache_is_not_read(make_release: Callable[..., Path]) -> None:
    folder = make_release(sources={"only": 60}, seed=42)
    release = open_release(folder)
    cache = cache_of(release)
    links = release.columns.links.copy()
    written = {file.name: file.read_bytes() for file in cache.iterdir()}
    (cache / "shapes.json").unlink()
    (cache / "links").write_bytes(b"half" * 1000)
    (cache.parent / "links.npy").write_bytes(b"of an earlier version")
    reopened = open_release(folder)
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == written
    np.testing.assert_array_equal(reopened.columns.links, links)
