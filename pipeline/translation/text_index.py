"""Which texts stand where: an index on disk, of which a small part is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Places = NDArray[np.int64]

_BUCKETS = 256
_BUFFERED = 1 << 20
"""Entries in memory before they are written to their buckets: 16 MB."""


def text_keys(texts: Iterable[str]) -> Keys:
    """A number for each text (xxHash, 64 bits): equal texts have the same one, different texts hardly ever."""
    return np.fromiter((xxhash.xxh3_64_intdigest(text.encode()) for text in texts), np.uint64)


class TextIndex:
    """Texts by their keys, each with the places where it stands, which are numbers of the caller's.

    Entries are spread over buckets by the leading bits of their keys and a bucket is sorted by itself, so that only one is in
    memory at a time; one bucket after the other, all are in order.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is an empty folder for scratch files."""
        self._folder = folder
        self._buffer: list[tuple[Keys, Places]] = []
        self._buffered = 0
        self._in_order: tuple[Keys, Places] | None = None

    def add(self, keys: Keys, places: Places) -> None:
        """Add texts, and where each stands; all before the first look-up."""
        self._buffer.append((keys, places))
        self._buffered += len(keys)
        if self._buffered >= _BUFFERED:
            self._spill()

    def _spill(self) -> None:
        keys, places = (np.concatenate([part[column] for part in self._buffer]) for column in (0, 1))
        buckets = keys >> np.uint64(56)
        order = np.argsort(buckets, kind="stable")
        ends = np.searchsorted(buckets[order], np.arange(_BUCKETS), side="right")
        for bucket, rows in enumerate(np.split(order, ends[:-1])):
            if len(rows):
                with self._bucket(bucket).open("ab") as file:
                    np.stack([keys[rows], places[rows].view(np.uint64)], axis=1).tofile(file)
        self._buffer, self._buffered = [], 0

    def _bucket(self, bucket: int) -> Path:
        return self._folder / f"{bucket:03d}"

    def _sorted(self) -> tuple[Keys, Places]:
        """All keys in order, and their places, of equal keys in order; mapped from files."""
        if self._in_order is None:
            if self._buffer:
                self._spill()
            files = self._folder / "keys", self._folder / "places"
            with files[0].open("wb") as of_keys, files[1].open("wb") as of_places:
                for bucket in filter(Path.exists, map(self._bucket, range(_BUCKETS))):
                    entries = np.fromfile(bucket, np.uint64).reshape(-1, 2)
                    keys, places = entries[:, 0], entries[:, 1].view(np.int64)
                    order = np.lexsort((places, keys))
                    keys[order].tofile(of_keys)
                    places[order].tofile(of_places)
                    bucket.unlink()
            if files[0].stat().st_size:
                self._in_order = np.memmap(files[0], np.uint64, "r"), np.memmap(files[1], np.int64, "r")
            else:
                self._in_order = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return self._in_order

    def first_places(self, keys: Keys) -> Places:
        """The first place of each text, -1 for one that is not here."""
        every, places = self._sorted()
        if not len(every):
            return np.full(len(keys), -1, np.int64)
        low = np.minimum(np.searchsorted(every, keys), len(every) - 1)
        return np.where(every[low] == keys, places[low], -1)

    def repeated(self) -> Iterator[tuple[Places, Places]]:
        """The texts that stand in several places, some thousands at a time.

        Yields all their places, text by text, those of a text in order; and where those of each text begin.
        """
        every, places = self._sorted()
        start = 0
        while start < len(every):
            end = min(start + _BUFFERED, len(every))
            if end < len(every):  # no text is cut in two
                end = int(np.searchsorted(every, every[end - 1], side="right"))
            _, counts = np.unique(every[start:end], return_counts=True)
            several = counts > 1
            if several.any():
                chosen = places[start:end][np.repeat(several, counts)]
                yield chosen, np.cumsum(counts[several]) - counts[several]
            start = end
