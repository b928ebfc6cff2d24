"""The texts of a release in one language, mapped into memory: one file of UTF-8, and where each text begins.

Made once on a machine. Arrow's own mapped files keep a table in as many pieces as it was written in, and reading two hundred texts
out of them costs ten times as much as the texts.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.release.reading import Reader

_SEPARATOR = ": "


class MappedTexts:
    """Title and text of every row, as a retriever reads them."""

    def __init__(self, reader: Reader, table: str, code: str, folder: Path) -> None:
        """Maps the texts of "queries" or "passages" in a language (NLLB code) from `folder`, where they are put if need be.

        Raises UserError where a file of the release is missing or damaged.
        """
        data, ends = folder / f"{table}-{code}.utf8", folder / f"{table}-{code}.npy"
        if not ends.exists():
            _make(reader, table, code, data, ends)
        self._ends: NDArray[np.int64] = np.load(ends, mmap_mode="r").view(np.ndarray)
        size = int(self._ends[-1])
        self._data = memoryview(np.memmap(data, dtype=np.uint8, mode="r", shape=(size,)).data if size else b"")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def take(self, rows: NDArray[np.int64]) -> list[str]:
        """The texts of `rows`; empty for one that was rejected."""
        data = self._data
        return [str(data[start:end], "utf-8") for start, end in zip(self._ends[rows].tolist(), self._ends[rows + 1].tolist(), strict=True)]


def _make(reader: Reader, table: str, code: str, data: Path, ends: Path) -> None:
    """Write the two files, so that they appear whole; `ends` last, without which the other is none."""
    making = [path.with_suffix(f"{path.suffix}.{os.getpid()}.part") for path in (data, ends)]
    lengths = [np.zeros(1, np.int64)]
    with making[0].open("wb") as file:
        for shard in reader.shards(f"{table}/{code}"):
            for chunk in _whole(shard).chunks:
                offsets = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
                if len(chunk) and chunk.buffers()[2] is not None:
                    file.write(memoryview(chunk.buffers()[2])[int(offsets[0]) : int(offsets[-1])])
                lengths.append(np.diff(offsets))
    with making[1].open("wb") as file:
        np.save(file, np.cumsum(np.concatenate(lengths)))
    for path, target in zip(making, (data, ends), strict=True):
        path.replace(target)


def _whole(shard: pa.Table) -> pa.ChunkedArray:
    text = pc.fill_null(shard["text"].cast(pa.large_string()), "")
    if "title" not in shard.column_names:
        return text
    title = pc.fill_null(shard["title"].cast(pa.large_string()), "")
    titled = pc.binary_join_element_wise(title, text, pa.scalar(_SEPARATOR, pa.large_string()))
    return pc.if_else(pc.or_(pc.equal(title, ""), pc.equal(text, "")), text, titled)
