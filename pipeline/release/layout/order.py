"""The order of a release's rows: by chance, and the same for the same texts.

Rows are sorted by a key, a hash of their id and a seed, and cut into blocks, which are the shards of every table. A passage is in the
block of its key, a query in that of one of its passages, chosen by chance, a pair in that of its query. So the order depends on what
is in the release and on the number of blocks: not on the order of sources, shards or languages. A text that stands in several sources
is one row, which the first of them provides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """Where the rows of each source go in one table of a release."""

    keys: Hashes
    """Row by row of the release: what it is sorted by inside its block."""
    places: Mapping[str, Integers]
    """By source, row by row of the source: the row of the release."""
    provided: Mapping[str, Mask]
    """By source, row by row of the source: whether the release has the text from it, and not from an earlier source."""
    ends: Integers
    """By block: the row after its last."""

    @property
    def total(self) -> int:
        """Rows of the table."""
        return len(self.keys)


class Leads:
    """Finds the key that says the block of each query: of the passage with which its key mixes to the smallest number, or its own.

    The smallest key itself would put queries with several passages into the first blocks.
    """

    def __init__(self, keys: Hashes) -> None:
        """`keys` are the queries' own."""
        self._own = keys
        self._leads = keys.copy()
        self._least = np.full(len(keys), np.iinfo(np.uint64).max, dtype=np.uint64)

    def add(self, queries: Integers, passages: Hashes) -> None:
        """Pairs: the rows of their queries, the keys of their passages."""
        mixed = shuffle_keys(self._own[queries] ^ passages, 0)
        np.minimum.at(self._least, queries, mixed)
        chosen = mixed == self._least[queries]
        self._leads[queries[chosen]] = passages[chosen]

    def keys(self) -> Hashes:
        """Of each query, after all `add`s."""
        return self._leads


def text_hashes(ids: pa.ChunkedArray | pa.Array) -> Hashes:
    """The ids of texts (16 hexadecimal digits each) as numbers."""
    digits = "".join(ids.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)


def text_ids(hashes: Hashes) -> pa.StringArray:
    """The ids that `text_hashes` made these numbers of."""
    digits = hashes.astype(">u8").tobytes().hex().encode()
    ends = np.arange(0, len(digits) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(ends), pa.py_buffer(digits))


def shuffle_keys(hashes: Hashes, seed: int) -> Hashes:
    """What rows are sorted by: the numbers and the seed, mixed (splitmix64: Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        mixed = hashes + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def pair_keys(queries: Hashes, passages: Hashes, seed: int) -> Hashes:
    """What pairs are sorted by, from the hashes of the ids of both sides."""
    return shuffle_keys(shuffle_keys(queries, seed) ^ passages, seed)


def order_by_key(keys: Mapping[str, Hashes]) -> Order:
    """The order of rows whose sort keys are given by source, row by row, in one block; equal keys are one row."""
    everything = np.concatenate(list(keys.values())) if keys else np.zeros(0, np.uint64)
    unique, first, place = np.unique(everything, return_index=True, return_inverse=True)
    provided = np.zeros(len(everything), dtype=bool)
    provided[first] = True
    ends = np.cumsum([len(of_source) for of_source in keys.values()])[:-1]
    return Order(
        unique,
        dict(zip(keys, np.split(place.astype(np.int64), ends), strict=True)),
        dict(zip(keys, np.split(provided, ends), strict=True)),
        np.array([len(unique)], np.int64),
    )


def order_in_blocks(order: Order, of_rows: Integers, blocks: int) -> Order:
    """The rows of `order` sorted by the block of each, and inside of one as they were."""
    rows = np.argsort(of_rows, kind="stable")
    moved = np.empty_like(rows)
    moved[rows] = np.arange(len(rows))
    places = {name: moved[of_source] for name, of_source in order.places.items()}
    return Order(order.keys[rows], places, order.provided, np.cumsum(np.bincount(of_rows, minlength=blocks)))


def number_of_blocks(size: int, block_bytes: int, passages: int) -> int:
    """Blocks of about `block_bytes` for `size` bytes of text, and not more than there are passages; at least one."""
    return max(1, min(-(-size // block_bytes), passages))


def block_of(keys: Hashes, blocks: int) -> Integers:
    """The block of each key, where each has a stretch of equal length of all possible keys."""
    if blocks == 1:  # whose length is one more than a key can be
        return np.zeros(len(keys), np.int64)
    return (keys // np.uint64(-(-(2**64) // blocks))).astype(np.int64)


def block_at(rows: Integers, ends: Integers) -> Integers:
    """The block of each row, where `ends` are those of an `Order`."""
    return np.searchsorted(ends, rows, side="right")
