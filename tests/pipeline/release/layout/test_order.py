from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.release.layout.order import (
    Leads,
    block_at,
    block_of,
    number_of_blocks,
    order_by_key,
    order_in_blocks,
    shuffle_keys,
    text_hashes,
)

ids = st.integers(0, 2**64 - 1)


@given(st.lists(ids, unique=True), st.integers(0, 5))
def test_the_order_depends_on_the_ids_alone(numbers: list[int], seed: int) -> None:
    first = np.array(numbers, np.uint64)
    forwards, backwards = (order_by_key({"a": shuffle_keys(side, seed)}) for side in (first, first[::-1]))
    assert forwards.total == len(numbers)
    assert sorted(forwards.places["a"].tolist()) == list(range(len(numbers)))
    assert forwards.places["a"].tolist() == backwards.places["a"].tolist()[::-1]


@given(st.lists(ids, unique=True, max_size=20), st.lists(ids, unique=True, max_size=20))
def test_a_text_of_two_sources_is_one_row_of_the_first(first: list[int], second: list[int]) -> None:
    order = order_by_key({"a": shuffle_keys(np.array(first, np.uint64), 0), "b": shuffle_keys(np.array(second, np.uint64), 0)})
    assert order.total == len(set(first) | set(second))
    assert order.provided["a"].all()
    assert order.provided["b"].tolist() == [number not in first for number in second]
    places = dict(zip(first, order.places["a"].tolist(), strict=True))
    assert all(places.get(number, place) == place for number, place in zip(second, order.places["b"].tolist(), strict=True))


def test_another_seed_is_another_order() -> None:
    numbers = np.arange(100, dtype=np.uint64)
    orders = [order_by_key({"a": shuffle_keys(numbers, seed)}).places["a"].tolist() for seed in (0, 1)]
    assert orders[0] != orders[1] and orders[0] != list(range(100))


def test_ids_are_numbers_of_sixteen_digits() -> None:
    assert text_hashes(pa.array(["00000000000000ff", "ffffffffffffffff"])).tolist() == [255, 2**64 - 1]
    assert text_hashes(pa.array([], pa.string())).tolist() == []


@given(st.integers(0, 2**50), st.integers(1, 2**40), st.integers(0, 1000))
def test_there_are_as_many_blocks_as_the_texts_fill_and_no_more_than_passages(size: int, block_bytes: int, passages: int) -> None:
    blocks = number_of_blocks(size, block_bytes, passages)
    assert 1 <= blocks <= max(1, passages)
    assert blocks == 1 or (blocks - 1) * block_bytes < size
    assert blocks * block_bytes >= size or blocks == max(1, passages)


@given(st.lists(ids | st.sampled_from([0, 2**63, 2**64 - 1])), st.integers(1, 10**6))
def test_blocks_are_equal_stretches_of_the_keys(numbers: list[int], blocks: int) -> None:
    found = block_of(np.array(numbers, np.uint64), blocks).tolist()
    assert found == [number // -(-(2**64) // blocks) for number in numbers]
    assert all(0 <= block < blocks for block in found)


@given(st.data(), st.lists(ids, unique=True, max_size=30), st.integers(1, 8))
def test_rows_in_blocks_are_sorted_by_block_and_key(data: st.DataObject, numbers: list[int], blocks: int) -> None:
    keys = np.array(numbers, np.uint64)
    order = order_by_key({"a": keys})
    of_rows = np.array(data.draw(st.lists(st.integers(0, blocks - 1), min_size=len(keys), max_size=len(keys))), np.int64)
    moved = order_in_blocks(order, of_rows, blocks)
    expected = sorted(zip(of_rows.tolist(), order.keys.tolist(), strict=True))
    assert moved.keys[moved.places["a"]].tolist() == numbers
    assert list(zip(block_at(np.arange(len(keys)), moved.ends).tolist(), moved.keys.tolist(), strict=True)) == expected


def led(own: list[int], *parts: list[tuple[int, int]]) -> list[int]:
    leads = Leads(np.array(own, np.uint64))
    for part in parts:
        leads.add(np.array([query for query, _ in part], np.int64), np.array([passage for _, passage in part], np.uint64))
    return leads.keys().tolist()


@given(st.data(), st.lists(ids, min_size=1, max_size=10), st.lists(st.tuples(st.integers(0, 9), ids), max_size=30), st.integers(0, 30))
def test_one_of_its_passages_leads_a_query_in_whatever_order_pairs_come(
    data: st.DataObject, own: list[int], links: list[tuple[int, int]], cut: int
) -> None:
    links = [(query % len(own), passage) for query, passage in links]
    found = led(own, links)
    for row, key in enumerate(found):
        assert key in ([passage for query, passage in links if query == row] or [own[row]])
    other = data.draw(st.permutations(links))
    assert led(own, other[:cut], other[cut:]) == found


def test_queries_with_many_passages_are_spread_over_the_blocks() -> None:
    """Within five standard deviations of a tenth in each of ten blocks."""
    rng = np.random.default_rng(1)
    own, passages = rng.integers(0, 2**64, 10_000, np.uint64), rng.integers(0, 2**64, 50_000, np.uint64)
    leads = Leads(own)
    leads.add(np.repeat(np.arange(10_000), 5), passages)
    assert np.abs(np.bincount(block_of(leads.keys(), 10), minlength=10) - 1000).max() < 150
