"""Scratch files of a source that is being read: texts and rows in order, and picked from in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Item = TypeVar("Item")

_WINDOW = 10_000
"""Rows of a file in memory while some of them are picked."""


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


class Staged:
    """A Parquet file that grows; its rows are numbered by the column `mention`, from 0."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, schema, compression="lz4")
        self.rows = 0

    def add(self, columns: dict[str, pa.Array]) -> None:
        table = pa.table({"mention": np.arange(self.rows, self.rows + len(next(iter(columns.values())))), **columns}, self._writer.schema)
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        self._writer.close()

    def pick(self, chosen: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """The rows whose numbers `chosen` has, in ascending order, in a column `mention`; with the other columns of `chosen`."""
        batches = iter(pq.ParquetFile(self._path, pre_buffer=False).iter_batches(_WINDOW))
        window = pa.Table.from_batches([next(batches)]) if self.rows else None
        start = 0
        for batch in chosen:
            part = pa.Table.from_batches([batch])
            while part.num_rows:
                assert window is not None
                end = start + window.num_rows
                inside = int(np.searchsorted(part["mention"].to_numpy(), end))
                if inside:
                    places = part["mention"].slice(0, inside).to_numpy() - start
                    picked = window.take(pa.array(places))
                    for name in part.column_names:
                        if name != "mention":
                            picked = picked.append_column(name, part[name].slice(0, inside))
                    yield picked
                    part = part.slice(inside)
                if part.num_rows:
                    start, window = end, pa.Table.from_batches([next(batches)])
