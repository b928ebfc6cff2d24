from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.grouping import first_of_each, with_lists

LISTS = st.dictionaries(st.integers(0, 1000), st.lists(st.text(max_size=3), max_size=6), max_size=30)


@given(LISTS, st.integers(1, 7), st.integers(1, 7))
def test_each_key_gets_its_values_in_order_wherever_batches_end(lists: dict[int, list[str]], key_rows: int, item_rows: int) -> None:
    keys = pa.table({"number": pa.array(sorted(lists), pa.int64())})
    pairs = [(key, value) for key in sorted(lists) for value in lists[key]]
    items = pa.table(
        {"key": pa.array([key for key, _ in pairs], pa.int64()), "value": pa.array([value for _, value in pairs], pa.string())}
    )
    batches = with_lists(keys.to_batches(key_rows), "number", items.to_batches(item_rows), "values", pa.string())
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert rows == [{"number": key, "values": lists[key]} for key in sorted(lists)]


@pytest.mark.parametrize("items", [[], [pa.record_batch({"key": pa.array([], pa.int64()), "value": pa.array([], pa.int64())})]])
def test_without_items_all_lists_are_empty(items: list[pa.RecordBatch]) -> None:
    keys = [pa.record_batch({"number": pa.array(part, pa.int64())}) for part in ([], [3, 5])]
    rows = [row for batch in with_lists(keys, "number", items, "values", pa.int64()) for row in batch.to_pylist()]
    assert rows == [{"number": 3, "values": []}, {"number": 5, "values": []}]


@given(st.lists(st.integers(0, 4), max_size=40).map(sorted), st.integers(1, 7), st.integers(1, 5))
def test_of_rows_with_one_key_the_first_ones_pass(keys: list[int], batch_rows: int, most: int) -> None:
    table = pa.table({"key": pa.array(keys, pa.int64()), "place": pa.array(range(len(keys)), pa.int64())})
    passed = [place for batch in first_of_each(table.to_batches(batch_rows), "key", most) for place in batch["place"].to_pylist()]
    assert passed == [place for place, key in enumerate(keys) if place - keys.index(key) < most]
