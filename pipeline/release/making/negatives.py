"""The hard negatives of pairs: those that a source gave, then those that were mined. As row numbers they serve every language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline.release.layout.order import Integers, Mask, Order, shuffle_keys, text_hashes

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

    def of(self, queries: Integers, positives: Positives) -> Integers:
        """Of each row of the release's queries: `count` rows of passages; `NONE` where there is none, and for its positives."""
        mined = self._mined[queries]
        mined[positives.include(np.repeat(queries, mined.shape[1]), mined.ravel()).reshape(mined.shape)] = NONE
        return mined


class Positives:
    """The positives of every query of a release, whatever sources name them: none of them is a negative of it."""

    def __init__(self, passages: int) -> None:
        """Nothing is known before `add` and `close`; a release has so many `passages`."""
        self._passages = passages
        self._links = [np.zeros(0, np.int64)]

    def add(self, queries: Integers, passages: Integers) -> None:
        """Pairs, as rows of the release."""
        self._links.append(self._numbered(queries, passages))

    def close(self) -> None:
        """All pairs were added."""
        self._links = [np.unique(np.concatenate(self._links))]

    def include(self, queries: Integers, passages: Integers) -> Mask:
        """Of each query and passage whether they are a pair."""
        [links] = self._links
        wanted = self._numbered(queries, passages)
        return np.searchsorted(links, wanted, side="right") > np.searchsorted(links, wanted)

    def _numbered(self, queries: Integers, passages: Integers) -> Integers:
        return queries * self._passages + passages


def without_positives(negatives: pa.ListArray, queries: Integers, positives: Positives) -> pa.ListArray:
    """The negatives of pairs of these `queries`, without positives of the query, and each once."""
    owners = pc.list_parent_indices(negatives).to_numpy().astype(np.int64)
    rows = negatives.flatten().to_numpy()
    kept = ~positives.include(queries[owners], rows)
    _, first = np.unique(np.stack([owners, rows], axis=1), axis=0, return_index=True)
    kept[np.setdiff1d(np.arange(len(rows)), first)] = False
    offsets = np.searchsorted(owners[kept], np.arange(len(negatives) + 1))
    return pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(rows[kept], pa.int64()))


def fill_up(given: Sequence[Sequence[int]], mined: Integers, count: int) -> list[list[int]]:
    """The negatives of each pair: those that its source gave, then mined ones of its query until there are `count`.

    `mined` has a row a pair, in which `NONE` stands for nothing; no passage stands twice.
    """
    return [
        list(dict.fromkeys([*own, *(row for row in more if row != NONE)]))[: max(count, len(own))]
        for own, more in zip(given, mined.tolist(), strict=True)
    ]
