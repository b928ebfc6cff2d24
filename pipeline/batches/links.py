"""The pairs of a release in numbers, and what drawing has to know of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

SAMPLE = 100_000
"""Pairs of a source to estimate from what share of them survived, at most about twice as many."""

_COLUMNS = ("query_row", "passage_row", "query_langs", "passage_langs")


@dataclass(frozen=True)
class PairIndex:
    """What drawing has to know of all pairs: it is found once, so that neither a draw nor an opening reads all of them."""

    source_rows: Sequence[Integers]
    """By source: the rows of its pairs, ascending."""
    sampled_bits: Sequence[Integers]
    """By source, of shape (samples, 2): languages of query and passage as bits, of pairs at equal distances."""
    kept: Integers
    """Of shape (sources, languages): pairs of which both sides survived in the language."""
    has_other_answers: Mask
    """By pair: whether its query has another pair."""
    answers: Integers
    """Of shape (answers, 2): query and passage of those pairs, sorted by the query."""

    @property
    def sizes(self) -> Integers:
        """By source: its pairs."""
        return np.array([len(rows) for rows in self.source_rows], np.int64)


@dataclass(frozen=True)
class Pairs:
    """The links of a release; row by row together, as a batch reads them at random."""

    links: Integers
    """Of shape (pairs, 5): query row, passage row, languages of the query and of the passage as bits, number of the source."""
    negative_rows: Integers
    negative_ends: Integers
    """The negatives of pair *i* end here in `negative_rows`, and begin where those of *i* - 1 end."""
    index: PairIndex

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


def links_of(table: pa.Table, sources: Sequence[str]) -> Integers:
    """The rows of a release's table `pairs` as `Pairs.links` has them; `sources` are those of its manifest, in order."""
    source = pc.index_in(table["source"], value_set=pa.array(sources, pa.string()))
    return np.stack([*(table[name].to_numpy() for name in _COLUMNS), source.to_numpy()], axis=1).astype(np.int64)


def negatives_of(table: pa.Table) -> tuple[Integers, Integers]:
    """Of the rows of a release's table `pairs`: all negatives one after the other, and how many each row has."""
    lists = table["negative_rows"]
    if not len(lists):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return pc.list_flatten(lists).to_numpy().astype(np.int64), pc.list_value_length(lists).to_numpy().astype(np.int64)


def pairs_in_memory(links: Integers, sources: int, languages: int) -> Pairs:
    """Pairs of so many sources and languages, without negatives."""
    sizes = np.bincount(links[:, 4], minlength=sources)
    (arrays,) = index_parts([links], sizes.tolist(), languages)
    return Pairs(links, np.zeros(0, np.int64), np.zeros(len(links), np.int64), index_from(arrays, sources, languages))


def index_parts(parts: Iterable[Integers], sizes: Sequence[int], languages: int) -> Iterator[dict[str, NDArray[Any]]]:
    """Of each part of the links, in order, named arrays: put together by name, they are what `index_from` reads.

    `sizes` are the pairs of each source in all parts. All pairs of a query are in one part, and queries ascend from part to part,
    as they do in the shards of a release. Raises UserError where they do not.
    """
    first, last_query, before = 0, -1, [0] * len(sizes)
    for links in parts:
        queries = links[:, 0]
        low, high = int(queries.min(initial=last_query + 1)), int(queries.max(initial=last_query))
        if low <= last_query:
            raise UserError(f"pairs: query {low} is in several shards: this release was not built by `publish`; look at it with `verify`")
        arrays: dict[str, NDArray[Any]] = {"kept": np.zeros((1, len(sizes), languages), np.int64)}
        for source, size in enumerate(sizes):
            rows, distance = np.flatnonzero(links[:, 4] == source), 1 + size // SAMPLE
            arrays[f"rows-{source}"] = first + rows
            arrays[f"sampled-{source}"] = links[rows[-before[source] % distance :: distance], 2:4]
            both = links[rows, 2] & links[rows, 3]
            arrays["kept"][0, source] = [int((both >> bit & 1).sum()) for bit in range(languages)]
            before[source] += len(rows)
        several = np.bincount(queries - low)[queries - low] > 1
        answers = links[several, :2]
        arrays |= {"has_other_answers": several, "answers": answers[np.argsort(answers[:, 0], kind="stable")]}
        yield arrays
        first, last_query = first + len(links), high


def index_from(arrays: Mapping[str, NDArray[Any]], sources: int, languages: int) -> PairIndex:
    """The index that is made of the arrays of `index_parts`."""
    return PairIndex(
        [arrays[f"rows-{source}"] for source in range(sources)],
        [arrays[f"sampled-{source}"] for source in range(sources)],
        arrays["kept"].reshape(-1, sources, languages).sum(axis=0),
        arrays["has_other_answers"],
        arrays["answers"],
    )
