"""The texts of a release as a loader reads them: one file of UTF-8 that is mapped into memory, and where each text begins and ends.

That is how Arrow lays out large strings. Arrow's own mapped tables stay in as many pieces as they were written in, though, and reading
two hundred texts out of them costs ten times as much as the texts.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from parallel_qa.pipeline.batches.links import Integers
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.release.reading.reader import Reader

TABLES = ("queries", "passages")
_SEPARATOR = ": "
_START = b"\0"
_INVENTORY = "there.json"
"""Which texts are in the files, and where they end; written after them: what it does not name is not there."""


class MappedTexts:
    """Queries and passages, a passage's title before it, by row and language; mapped from a folder, where they are put if need be."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        """Nothing is in the folder before `add`."""
        self._reader, self._folder = reader, folder
        self._rows: dict[str, int] = {table: reader.manifest["rows"][table] for table in TABLES}
        first = 0
        self._firsts: dict[str, Integers] = {}
        for table, rows in self._rows.items():
            self._firsts[table] = first + np.arange(len(reader.languages), dtype=np.int64) * (rows + 1)
            first += len(reader.languages) * (rows + 1)
        self._length = first
        self._map()

    def _map(self) -> None:
        self._ends: Integers = np.zeros(1, np.int64)
        self._data: mmap.mmap | bytes = _START
        if (self._folder / _INVENTORY).exists():
            self._ends = np.memmap(self._folder / "ends", np.int64, "r").view(np.ndarray)
            with (self._folder / "texts").open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._data, np.uint8)

    def add(self, codes: Sequence[str], progress: Progress) -> None:
        """Have the texts in some languages (NLLB codes). Raises UserError where a file of the release is missing or damaged."""
        with FileLock(self._folder / "lock"):
            cached = self._inventory()
            missing = [(table, code) for table in TABLES for code in codes if f"{table}/{code}" not in cached["tables"]]
            name = f"cache of {self._reader.manifest['version']}"
            if missing:
                progress.start(name, len(missing), "tables")
            for table, code in missing:
                cached = {"bytes": self._append(table, code, cached["bytes"]), "tables": [*cached["tables"], f"{table}/{code}"]}
                making = self._folder / f"{_INVENTORY}.part"
                making.write_text(json.dumps(cached))
                making.replace(self._folder / _INVENTORY)
                progress.advance(name, 1)
            if missing:
                progress.finish(name)
        self._map()

    def _inventory(self) -> dict[str, Any]:
        file = self._folder / _INVENTORY
        return dict(json.loads(file.read_text())) if file.exists() else {"bytes": len(_START), "tables": []}

    def _append(self, table: str, code: str, start: int) -> int:
        """Write the texts of a table in a language from a place of the file on; returns where they end."""
        end, place = start, int(self._firsts[table][self._reader.languages.index(code)])
        (self._folder / "ends").touch()
        with (self._folder / "texts").open("wb" if start == len(_START) else "r+b") as texts, (self._folder / "ends").open("r+b") as ends:
            texts.write(_START)  # no file that is mapped may be empty
            texts.seek(start)
            ends.truncate(8 * self._length)  # languages that nobody asks for leave holes
            ends.seek(8 * place)
            ends.write(np.int64(start).tobytes())
            for shard in self._reader.shards(f"{table}/{code}"):
                for content, lengths in buffers(shard):
                    texts.write(content)
                    ends.write((end + lengths.cumsum()).tobytes())
                    end += int(lengths.sum())
        return end

    def places(self, table: str, rows: Integers, languages: Integers) -> Integers:
        """Where `take` finds the texts of rows of a table, each in a language: a number of the release's."""
        return self._firsts[table][languages] + rows

    def take(self, places: Integers, prefixes: Iterable[str]) -> list[str]:
        """The prefix and the text of each place; no text where it was rejected."""
        data, starts = self._data, self._ends.take(places)
        self._bytes.take(starts, mode="clip")  # so that the processor waits for all texts at once, and not for one after the other
        spans = zip(prefixes, starts.tolist(), self._ends.take(places + 1).tolist(), strict=True)
        return [prefix + data[start:end].decode() for prefix, start, end in spans]

    def arrow(self, table: str, code: str) -> pa.LargeStringArray:
        """All texts of a table in a language, which `add` has been asked for, as Arrow reads them from the same files."""
        place = int(self._firsts[table][self._reader.languages.index(code)])
        ends = self._ends[place : place + self._rows[table] + 1]
        return pa.LargeStringArray.from_buffers(self._rows[table], pa.py_buffer(ends), pa.py_buffer(self._data))


def buffers(shard: pa.Table) -> Iterator[tuple[memoryview, Integers]]:
    """The texts of a shard, each with its title, as UTF-8 one after the other, and the length of each in bytes."""
    for chunk in _titled_texts(shard).chunks:
        if len(chunk):
            offsets = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            content = memoryview(chunk.buffers()[2] or b"")
            yield content[int(offsets[0]) : int(offsets[-1])], np.diff(offsets)


def _titled_texts(shard: pa.Table) -> pa.ChunkedArray:
    text = pc.fill_null(shard["text"].cast(pa.large_string()), "")
    if "title" not in shard.column_names:
        return text
    title = pc.fill_null(shard["title"].cast(pa.large_string()), "")
    titled = pc.binary_join_element_wise(title, text, pa.scalar(_SEPARATOR, pa.large_string()))
    return pc.if_else(pc.or_(pc.equal(title, ""), pc.equal(text, "")), text, titled)
