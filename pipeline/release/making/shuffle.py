"""Rows that come in one order and leave in another, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Shuffle:
    """Takes rows with the place of each, and gives them back by place.

    Rows are spread over files, one for each stretch of places; a stretch is in memory when it is read back. Where all places are
    one stretch, nothing is written.
    """

    def __init__(self, folder: Path, schema: pa.Schema, ends: NDArray[np.int64]) -> None:
        """`folder` is an empty scratch folder, or absent; `ends` are the places after the last of each stretch."""
        self._schema = pa.schema([*schema, ("place", pa.int64())])
        self._plain = schema
        self._ends = ends
        self._kept: list[pa.Table] = []
        self._files: list[Path] = []
        self._writers: list[pa.ipc.RecordBatchFileWriter] = []
        if len(ends) > 1:
            folder.mkdir(parents=True, exist_ok=True)
            self._files = [folder / f"{number}.arrow" for number in range(len(ends))]
            self._writers = [pa.ipc.new_file(str(file), self._schema) for file in self._files]

    def add(self, table: pa.Table, places: NDArray[np.int64]) -> None:
        """Rows of the schema, and the place of each."""
        placed = table.append_column("place", pa.array(places)).cast(self._schema)
        if not self._writers:
            self._kept.append(placed)
            return
        stretches = np.searchsorted(self._ends, places, side="right")
        order = np.argsort(stretches, kind="stable")
        sorted_rows = placed.take(pa.array(order))
        ends = np.searchsorted(stretches[order], np.arange(len(self._ends)), side="right")
        start = 0
        for writer, end in zip(self._writers, ends.tolist(), strict=True):
            if end > start:
                writer.write_table(sorted_rows.slice(start, end - start))
            start = end

    def stretches(self) -> Iterator[pa.Table]:
        """All rows by place, stretch by stretch; call it once, after all `add`s. A stretch may be empty."""
        if not self._writers:
            yield self._sorted(pa.concat_tables([self._schema.empty_table(), *self._kept]))
            return
        for file, writer in zip(self._files, self._writers, strict=True):
            writer.close()
            with pa.memory_map(str(file)) as source:
                yield self._sorted(pa.ipc.open_file(source).read_all())
            file.unlink()

    def _sorted(self, table: pa.Table) -> pa.Table:
        order = np.argsort(table["place"].to_numpy(), kind="stable")
        return table.select(self._plain.names).take(pa.array(order)).cast(self._plain)
