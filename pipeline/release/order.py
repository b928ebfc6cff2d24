"""The order of a release's rows: by chance, and the same for the same texts.

Rows are sorted by a hash of their id and a seed. So the order depends on what is in the release and on nothing else: not on the
order of sources, shards or languages. A text that stands in several sources is one row, which the first of them provides.
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

    places: Mapping[str, Integers]
    """By source, row by row of the source: the row of the release."""
    provided: Mapping[str, Mask]
    """By source, row by row of the source: whether the release has the text from it, and not from an earlier source."""
    total: int


def text_hashes(ids: pa.ChunkedArray | pa.Array) -> Hashes:
    """The ids of texts (16 hexadecimal digits each) as numbers."""
    digits = "".join(ids.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)


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


def in_order(keys: Mapping[str, Hashes]) -> Order:
    """The order of rows whose sort keys are given by source, row by row; equal keys are one row."""
    everything = np.concatenate(list(keys.values())) if keys else np.zeros(0, np.uint64)
    unique, first, place = np.unique(everything, return_index=True, return_inverse=True)
    provided = np.zeros(len(everything), dtype=bool)
    provided[first] = True
    ends = np.cumsum([len(of_source) for of_source in keys.values()])[:-1]
    return Order(
        dict(zip(keys, np.split(place.astype(np.int64), ends), strict=True)),
        dict(zip(keys, np.split(provided, ends), strict=True)),
        len(unique),
    )
