"""Arrow tables cut to size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa


def give_back_memory() -> None:
    """Return what Arrow keeps for later allocations to the system: its next tables may be of another kind and size."""
    pa.default_memory_pool().release_unused()


def split_rows(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """`table` in parts of `rows` rows; an empty table is one empty part."""
    for start in range(0, max(table.num_rows, 1), rows):
        yield table.slice(start, rows)


def in_shards(tables: Iterable[pa.Table], rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of `tables` in tables of `rows` rows; one empty table where there are none."""
    waiting = schema.empty_table()
    written = False
    for table in tables:
        waiting = pa.concat_tables([waiting, table.select(schema.names).cast(schema)])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows).combine_chunks()
            waiting, written = waiting.slice(rows), True
    if waiting.num_rows or not written:
        yield waiting.combine_chunks()


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
