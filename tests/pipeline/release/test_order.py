from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.release.order import in_order, shuffle_keys, text_hashes
from pipeline.release.shuffle import Shuffle

ids = st.integers(0, 2**64 - 1)
SCHEMA = pa.schema([("value", pa.int64())])


@given(st.lists(ids, unique=True), st.integers(0, 5))
def test_the_order_depends_on_the_ids_alone(numbers: list[int], seed: int) -> None:
    first = np.array(numbers, np.uint64)
    forwards, backwards = (in_order({"a": shuffle_keys(side, seed)}) for side in (first, first[::-1]))
    assert forwards.total == len(numbers)
    assert sorted(forwards.places["a"].tolist()) == list(range(len(numbers)))
    assert forwards.places["a"].tolist() == backwards.places["a"].tolist()[::-1]


@given(st.lists(ids, unique=True, max_size=20), st.lists(ids, unique=True, max_size=20))
def test_a_text_of_two_sources_is_one_row_of_the_first(first: list[int], second: list[int]) -> None:
    order = in_order({"a": shuffle_keys(np.array(first, np.uint64), 0), "b": shuffle_keys(np.array(second, np.uint64), 0)})
    assert order.total == len(set(first) | set(second))
    assert order.provided["a"].all()
    assert order.provided["b"].tolist() == [number not in first for number in second]
    places = dict(zip(first, order.places["a"].tolist(), strict=True))
    assert all(places.get(number, place) == place for number, place in zip(second, order.places["b"].tolist(), strict=True))


def test_another_seed_is_another_order() -> None:
    numbers = np.arange(100, dtype=np.uint64)
    orders = [in_order({"a": shuffle_keys(numbers, seed)}).places["a"].tolist() for seed in (0, 1)]
    assert orders[0] != orders[1] and orders[0] != list(range(100))


def test_ids_are_numbers_of_sixteen_digits() -> None:
    assert text_hashes(pa.array(["00000000000000ff", "ffffffffffffffff"])).tolist() == [255, 2**64 - 1]
    assert text_hashes(pa.array([], pa.string())).tolist() == []


@given(st.data(), st.lists(st.integers(), max_size=60), st.integers(1, 70))
def test_rows_come_back_by_place_whatever_the_batches(data: st.DataObject, values: list[int], rows: int) -> None:
    values = [value % 2**62 for value in values]
    places = data.draw(st.permutations(range(len(values))))
    with tempfile.TemporaryDirectory() as folder:
        shuffle = Shuffle(Path(folder) / "x", SCHEMA, rows, len(values))
        start = 0
        while start < len(values):
            size = data.draw(st.integers(1, len(values) - start))
            part = slice(start, start + size)
            shuffle.add(pa.table({"value": values[part]}, SCHEMA), np.array(places[part], np.int64))
            start += size
        stretches = list(shuffle.stretches())
    assert all(len(stretch) <= rows for stretch in stretches) or len(stretches) == 1
    expected = [value for _, value in sorted(zip(places, values, strict=True))]
    assert [value for stretch in stretches for value in stretch["value"].to_pylist()] == expected
