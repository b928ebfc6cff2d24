"""The hard negatives of pairs: those that a source gave, then those that were mined. As row numbers they serve every language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline.release.layout.order import Integers, Order, shuffle_keys, text_hashes

NONE = -1
"""Stands in a row of mined negatives where there are no more."""


class MinedNegatives:
    """The mined negatives of every query of a release: up to `count` rows of its passages, the hardest first."""

    def __init__(self, queries: Order, passages: Order, count: int, seed: int) -> None:
        """Nothing is mined before `add`; `seed` is that of both orders."""
        self._queries = queries
        self._count = count
        self._seed = seed
        self._rows = np.argsort(passages.keys)
        self._keys = passages.keys[self._rows]
        self._mined = np.full((queries.total, count), NONE, dtype=np.int64)

    def add(self, source: str, tables: Iterable[pa.Table]) -> None:
        """Those of a source, in tables of schema `mining.MINED`, row by row of its queries.

        Raises ValueError where one is no passage of the release: something else was mined than is released.
        """
        start = 0
        for table in tables:
            places = self._queries.places[source][start : start + len(table)]
            lists = table["negatives"].combine_chunks()
            owners = pc.list_parent_indices(lists).to_numpy()
            ranks = np.arange(len(owners)) - np.searchsorted(owners, owners)
            wanted = shuffle_keys(text_hashes(lists.flatten()), self._seed)
            at = np.searchsorted(self._keys, wanted)
            if (np.searchsorted(self._keys, wanted, side="right") == at).any():
                raise ValueError(f"the negatives mined for {source} are of other passages than those of the release")
            near = ranks < self._count
            self._mined[places[owners[near]], ranks[near]] = self._rows[at[near]]
            start += len(table)

    def of(self, queries: Integers) -> Integers:
        """Of each row of the release's queries: `count` rows of passages, or `NONE`."""
        return self._mined[queries]


def fill_up(given: Sequence[Sequence[int]], mined: Integers, positives: Integers, count: int) -> list[list[int]]:
    """The negatives of each pair: those that its source gave, then mined ones of its query until there are `count`.

    `mined` has a row a pair; no passage stands twice, and none is the pair's positive.
    """
    filled = []
    for own, more, positive in zip(given, mined.tolist(), positives.tolist(), strict=True):
        candidates = dict.fromkeys([*own, *(row for row in more if row != NONE)])
        filled.append([row for row in candidates if row != positive][: max(count, len(own))])
    return filled
