"""The pairs of a release in numbers, mapped into memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock
from numpy.typing import NDArray

from parallel_qa.pipeline.release.reading.reader import Reader

Integers = NDArray[np.int64]

_COLUMNS = ("query_row", "passage_row", "query_langs", "passage_langs")
_FILES = ("negative_rows", "negative_ends", "links")


@dataclass(frozen=True)
class Pairs:
    """The links of a release; row by row together, as a batch reads them at random."""

    links: Integers
    """Of shape (pairs, 5): query row, passage row, languages of the query and of the passage as bits, number of the source."""
    negative_rows: Integers
    negative_ends: Integers
    """The negatives of pair *i* end here in `negative_rows`, and begin where those of *i* - 1 end."""

    def __len__(self) -> int:
        return len(self.links)

    @property
    def query(self) -> Integers:
        return self.links[:, 0]

    @property
    def passage(self) -> Integers:
        return self.links[:, 1]

    @property
    def query_bits(self) -> Integers:
        return self.links[:, 2]

    @property
    def passage_bits(self) -> Integers:
        return self.links[:, 3]

    @property
    def source(self) -> Integers:
        return self.links[:, 4]


def pairs_of(table: pa.Table, sources: list[str]) -> Pairs:
    """Rows of a release's table `pairs`; `sources` are those of its manifest, in order."""
    columns = [table[name].to_numpy() for name in _COLUMNS]
    source = pc.index_in(table["source"], value_set=pa.array(sources, pa.string()))
    lists = table["negative_rows"]
    lengths = pc.list_value_length(lists).to_numpy() if len(lists) else np.zeros(0, np.int64)
    flat = pc.list_flatten(lists).to_numpy() if len(lists) else np.zeros(0, np.int64)
    links = np.stack([*columns, source.to_numpy()], axis=1).astype(np.int64)
    return Pairs(links, flat.astype(np.int64), np.cumsum(lengths, dtype=np.int64))


def mapped_pairs(reader: Reader, sources: list[str], folder: Path) -> Pairs:
    """All pairs, mapped from a folder, where they are put if need be. Raises UserError where a file is missing or damaged."""
    files = {name: folder / f"{name}.npy" for name in _FILES}
    with FileLock(folder / "lock"):
        if not files["links"].exists():
            parts = [pairs_of(shard, sources) for shard in reader.shards("pairs")]
            before = np.cumsum([0, *(len(part.negative_rows) for part in parts)])
            columns = {
                "negative_rows": [part.negative_rows for part in parts],
                "negative_ends": [part.negative_ends + start for part, start in zip(parts, before[:-1], strict=True)],
                "links": [part.links for part in parts],
            }
            for name, arrays in columns.items():  # the links last: without them, nothing is there
                making = files[name].with_suffix(".part.npy")
                np.save(making, np.concatenate(arrays))
                making.replace(files[name])
    mapped = {name: np.load(file, mmap_mode="r").view(np.ndarray) for name, file in files.items()}
    return Pairs(mapped["links"], mapped["negative_rows"], mapped["negative_ends"])
