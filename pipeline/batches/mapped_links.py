"""The pairs of a release in files that are mapped into memory, written shard by shard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from parallel_qa.pipeline.batches.links import Integers, Pairs, index_from, index_parts, links_of, negatives_of
from parallel_qa.pipeline.release.reading.reader import Reader

_FOLDER = "pairs"
_SHAPES = "shapes.json"
"""Written last: without it, nothing is there."""

_WIDTH = 5


class _GrowingFiles:
    """Arrays in a folder, one a file, that grow at their ends, so that they need no memory."""

    def __init__(self, folder: Path) -> None:
        """What is in the folder is removed: it is what a killed process left."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._folder = folder
        self._shapes: dict[str, list[int]] = {}

    def append(self, name: str, rows: NDArray[Any]) -> None:
        with (self._folder / name).open("ab") as file:
            rows.tofile(file)
        self._shapes[name] = [self._shapes.get(name, [0])[0] + len(rows), *rows.shape[1:]]

    def finish(self) -> None:
        making = self._folder / f"{_SHAPES}.part"
        making.write_text(json.dumps(self._shapes))
        making.replace(self._folder / _SHAPES)


def mapped_pairs(reader: Reader, sources: Sequence[str], folder: Path) -> Pairs:
    """All pairs, mapped from files in `folder`, which are made if need be; `sources` are those of the manifest.

    Raises UserError where a file of the release is missing or damaged.
    """
    with FileLock(folder / "lock"):
        if not (folder / _FOLDER / _SHAPES).exists():
            _write_pairs(reader, sources, folder / _FOLDER)
    arrays = _map_arrays(folder / _FOLDER)
    index = index_from(arrays, len(sources), len(reader.languages))
    return Pairs(arrays["links"], arrays["negative_rows"], arrays["negative_ends"], index)


def _write_pairs(reader: Reader, sources: Sequence[str], folder: Path) -> None:
    files, lengths, negatives = _GrowingFiles(folder), [], 0
    sizes = np.zeros(len(sources), np.int64)
    for shard in reader.shards("pairs"):
        links, (rows, counts) = links_of(shard, sources), negatives_of(shard)
        files.append("links", links)
        files.append("negative_rows", rows)
        files.append("negative_ends", negatives + counts.cumsum())
        sizes += np.bincount(links[:, 4], minlength=len(sources))
        lengths.append(len(links))
        negatives += len(rows)
    for arrays in index_parts(_read_links(folder / "links", lengths), sizes.tolist(), len(reader.languages)):
        for name, piece in arrays.items():
            files.append(name, piece)
    files.finish()


def _read_links(file: Path, lengths: Sequence[int]) -> Iterator[Integers]:
    """The links of each shard, as they were written."""
    with file.open("rb") as content:
        for length in lengths:
            yield np.fromfile(content, np.int64, length * _WIDTH).reshape(length, _WIDTH)


def _map_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    shapes: dict[str, list[int]] = json.loads((folder / _SHAPES).read_text())
    kinds = {name: np.bool_ if name == "has_other_answers" else np.int64 for name in shapes}
    return {
        # No file without content can be mapped. A view, as the class for mapped files is slow.
        name: np.memmap(folder / name, kinds[name], "r", shape=tuple(shape)).view(np.ndarray) if shape[0] else np.zeros(shape, kinds[name])
        for name, shape in shapes.items()
    }
