"""Rows that come in one order and leave in another, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BUFFER_BYTES = 2**25


class Shuffle:
    """Takes rows with the place of each, and gives them back by place.

    Places are cut into stretches, and each stretch has a file. Rows wait in memory until there are `buffer_bytes` of them; then
    each goes to the end of its stretch's file, one file being open at a time. A stretch is in memory when it is read back. Where
    all places are one stretch, nothing is written.
    """

    def __init__(self, folder: Path, schema: pa.Schema, ends: NDArray[np.int64], buffer_bytes: int = BUFFER_BYTES) -> None:
        """`folder` is an empty scratch folder, or absent; `ends` are the places after the last of each stretch."""
        self._folder = folder
        self._schema = schema
        self._with_places = pa.schema([*schema, ("place", pa.int64())])
        self._ends = ends
        self._buffer_bytes = buffer_bytes
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0

    def add(self, table: pa.Table, places: NDArray[np.int64]) -> None:
        """Rows of the schema, and the place of each."""
        self._waiting.append(table.append_column("place", pa.array(places, pa.int64())).cast(self._with_places))
        self._waiting_bytes += self._waiting[-1].nbytes
        if len(self._ends) > 1 and self._waiting_bytes > self._buffer_bytes:
            self._write_waiting()

    def stretches(self) -> Iterator[pa.Table]:
        """All rows by place, stretch by stretch; call it once, after all `add`s. A stretch may be empty."""
        if len(self._ends) == 1:
            yield self._by_place(self._waiting_rows().combine_chunks())
            return
        self._write_waiting()
        for stretch in range(len(self._ends)):
            # In one piece: `take` would put the pieces together beside them, and the file is let go of before.
            yield self._by_place(self._read(self._file(stretch)).combine_chunks())

    def _waiting_rows(self) -> pa.Table:
        """The rows that wait, which then wait no more."""
        rows = pa.concat_tables([self._with_places.empty_table(), *self._waiting])
        self._waiting, self._waiting_bytes = [], 0
        return rows

    def _write_waiting(self) -> None:
        """Append the rows that wait to the files of their stretches, each time as an Arrow stream of its own."""
        rows = self._waiting_rows()
        stretches = np.searchsorted(self._ends, rows["place"].to_numpy(), side="right")
        order = np.argsort(stretches, kind="stable")
        rows, stretches = rows.take(pa.array(order)), stretches[order]
        present, starts, counts = np.unique(stretches, return_index=True, return_counts=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        for stretch, start, count in zip(present.tolist(), starts.tolist(), counts.tolist(), strict=True):
            with self._file(stretch).open("ab") as file, pa.ipc.new_stream(file, self._with_places) as writer:
                writer.write_table(rows.slice(start, count))

    def _file(self, stretch: int) -> Path:
        return self._folder / f"{stretch}.arrows"

    def _read(self, file: Path) -> pa.Table:
        """The rows of all streams in a file, in the order in which they were written; the file is gone afterwards."""
        if not file.exists():
            return self._with_places.empty_table()
        tables = []
        with pa.memory_map(str(file)) as source:
            while source.tell() < source.size():
                tables.append(pa.ipc.open_stream(source).read_all())
        file.unlink()
        return pa.concat_tables(tables)

    def _by_place(self, rows: pa.Table) -> pa.Table:
        order = np.argsort(rows["place"].to_numpy(), kind="stable")
        return rows.select(self._schema.names).take(pa.array(order)).cast(self._schema).combine_chunks()
