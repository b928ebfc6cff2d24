"""A batch of texts as words and as runs of words, in numbers that can be compared and looked up by the million."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Words:
    """The words of a batch of texts, one after the other; text *i* has `values[ends[i - 1] : ends[i]]`."""

    values: Numbers
    ends: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.concatenate([[0], self.ends])[:-1].astype(np.int64)

    def counts(self) -> NDArray[np.int64]:
        """Words in each text."""
        return self.ends - self.starts

    def runs(self, length: int) -> Words:
        """Every `length` words that follow each other, as one number; a shorter text has none.

        The number is a polynomial of the words' numbers (Karp and Rabin 1987), mixed so that all its bits count.
        """
        total = len(self.values)
        counts = np.maximum(self.counts() - length + 1, 0)
        ends = np.cumsum(counts)
        if total < length:
            return Words(np.empty(0, np.uint64), ends)
        rolled = np.zeros(total - length + 1, np.uint64)
        for offset in range(length):
            rolled = rolled * _BASE + self.values[offset : total - length + 1 + offset]
        places = np.repeat(self.starts - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
        return Words(_mixed(rolled[places]), ends)


def words(texts: pa.Array) -> Words:
    """The words of texts in a form of `forms.py`: what stands between spaces. A null has none."""
    lists = pc.split_pattern(pc.if_else(pc.equal(texts, ""), None, texts), " ")
    flat = pc.list_flatten(lists).dictionary_encode()
    numbers = np.fromiter((xxhash.xxh3_64_intdigest(word.encode()) for word in flat.dictionary.to_pylist()), np.uint64)
    counts = pc.fill_null(pc.list_value_length(lists), 0)
    return Words(numbers[flat.indices.to_numpy()], np.cumsum(counts.to_numpy(zero_copy_only=False), dtype=np.int64))


def _mixed(numbers: Numbers) -> Numbers:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
