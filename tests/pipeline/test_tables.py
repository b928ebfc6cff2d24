from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.tables import in_shards, split_rows

NUMBERS = pa.schema([("number", pa.int64())])


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(1, 12))
def test_shards_hold_all_rows_in_order_and_all_but_the_last_are_full(sizes: list[int], rows: int) -> None:
    count = sum(sizes)
    whole = pa.table({"number": pa.array(range(count), pa.int64()), "more": ["x"] * count})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    shards = list(in_shards((whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)), rows, NUMBERS))
    assert [number for shard in shards for number in shard["number"].to_pylist()] == list(range(count))
    assert [len(shard) for shard in shards] == ([rows] * (count // rows) + [count % rows] * (count % rows > 0) or [0])
    assert all(shard.schema == NUMBERS for shard in shards)


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_a_table_is_cut_into_parts(count: int, sizes: list[int]) -> None:
    table = pa.table({"number": pa.array(range(count), pa.int64())})
    parts = list(split_rows(table, 3))
    assert [len(part) for part in parts] == sizes
    assert pa.concat_tables(parts).equals(table)
