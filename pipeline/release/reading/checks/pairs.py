"""Pairs: what they point at, in which languages both sides are there, their negatives, their order and their blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.layout.order import Integers, Leads, Mask, block_at, block_of, pair_keys, shuffle_keys
from parallel_qa.pipeline.release.layout.survival import language_bits, lost_answers, pair_tally
from parallel_qa.pipeline.release.reading.checks.checked_files import CheckedFiles
from parallel_qa.pipeline.release.reading.checks.claims import Claims, shard
from parallel_qa.pipeline.release.reading.checks.faults import Fault, is_null, is_one_of, row_faults
from parallel_qa.pipeline.release.reading.checks.known_texts import KnownTexts
from parallel_qa.pipeline.tables import one_array
from parallel_qa.pipeline.tally import Tally

_NEVER_NULL = ("query_row", "passage_row", "negative_rows", "source", "query_langs", "passage_langs")


class Pairs:
    """Checks the pairs of a release, shard by shard, and counts them."""

    def __init__(self, files: CheckedFiles, claims: Claims, queries: KnownTexts, passages: KnownTexts) -> None:
        """`queries` and `passages` are all those of the release."""
        self._files, self._claims = files, claims
        self._queries, self._passages = queries, passages
        self._leads = Leads(shuffle_keys(queries.hashes, claims.seed))
        self._total = 0
        self.complete = queries.complete and passages.complete
        """Whether all could be read, and what they point at."""
        self.tallies: dict[tuple[str, str], Tally] = {}
        """By source and language: what became of the pairs."""
        self.provided: Counter[str] = Counter()
        """By source: pairs."""
        self.foreign: dict[tuple[str, str], Integers] = {}
        """By source and table: the texts of its pairs that another source provides."""

    def check(self) -> Iterator[Fault]:
        """Read all pairs and yield every fault."""
        for number in range(self._claims.blocks):
            yield from self._check_shard(shard("pairs", number), number)
        if not self.complete:
            return
        if self._total != self._claims.manifest["rows"]["pairs"]:
            yield Fault(MANIFEST, f"rows.pairs is {self._claims.manifest['rows']['pairs']}, and its shards have {self._total}")
        yield from self._check_query_blocks()

    def _check_shard(self, name: str, number: int) -> Iterator[Fault]:
        pairs, wrong = self._files.rows(name, schema.RELEASED_PAIRS)
        yield from wrong
        if pairs is None:
            self.complete = False
            return
        nulls = np.logical_or.reduce([is_null(pairs[column]) for column in _NEVER_NULL])
        yield from row_faults(name, nulls, f"has no value in one of {', '.join(_NEVER_NULL)}")
        if nulls.any() or not (self._queries.complete and self._passages.complete):
            self.complete = False
            return
        self._total += len(pairs)
        queries, passages = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
        outside = (queries < 0) | (queries >= self._queries.total) | (passages < 0) | (passages >= self._passages.total)
        yield from row_faults(name, outside, "points at a row that there is not")
        if outside.any():
            self.complete = False
            return
        yield from self._negative_faults(name, pairs, queries, passages)
        yield from row_faults(name, ~is_one_of(pairs["source"], list(self._claims.sources)), "is of no source of the manifest")
        lost, wrong_scores = self._lost_answers(pairs)
        yield from row_faults(name, wrong_scores, "has not one score of its answer for each language")
        survived = self._queries.differ(queries, pairs["query_langs"].to_numpy())
        yield from row_faults(name, survived, "query_langs is not what survived in queries")
        survived = self._passages.differ(passages, pairs["passage_langs"].to_numpy(), without=language_bits(lost))
        yield from row_faults(name, survived, "passage_langs is not where the passage survived with the answer")
        keys = pair_keys(self._queries.hashes[queries], self._passages.hashes[passages], self._claims.seed)
        yield from row_faults(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
        yield from row_faults(name, block_at(queries, self._queries.ends) != number, "is in another block than its query")
        self._leads.add(queries, shuffle_keys(self._passages.hashes[passages], self._claims.seed))
        self._count(pairs, queries, passages, lost)

    def _negative_faults(self, name: str, pairs: pa.Table, queries: Integers, passages: Integers) -> Iterator[Fault]:
        """All pairs of a query are in its block, so that a shard tells all positives of its queries."""
        lists = one_array(pairs["negative_rows"])
        owners, negatives = pc.list_parent_indices(lists).to_numpy(), lists.flatten()
        rows = pc.fill_null(negatives, -1).to_numpy()
        outside = (rows < 0) | (rows >= self._passages.total)
        yield from row_faults(name, _of_owners(owners[outside], len(pairs)), "has a negative that there is not")
        positive = np.isin(queries[owners] * self._passages.total + rows, queries * self._passages.total + passages) & ~outside
        yield from row_faults(name, _of_owners(owners[positive], len(pairs)), "has a negative that is a positive of its query")
        order = np.lexsort((rows, owners))
        again = np.zeros(len(rows), bool)
        again[order[1:]] = (np.diff(rows[order]) == 0) & (np.diff(owners[order]) == 0)
        yield from row_faults(name, _of_owners(owners[again], len(pairs)), "has a negative twice")

    def _lost_answers(self, pairs: pa.Table) -> tuple[NDArray[np.bool_], Mask]:
        """Of each pair and language but English whether the answer is lost; and of each pair whether its scores are of another number."""
        codes = self._claims.targets
        lists = one_array(pairs["answer_scores"])
        sizes = pc.fill_null(pc.list_value_length(lists), len(codes)).to_numpy(zero_copy_only=False)
        given = (sizes == len(codes)) & ~is_null(pairs["answer_scores"])
        scores = np.full((len(pairs), len(codes)), np.nan, dtype=np.float32)
        scores[given] = lists.filter(pa.array(given)).flatten().to_numpy(zero_copy_only=False).reshape(scores[given].shape)
        return lost_answers(scores, [self._claims.profile.filters.of(code, "passages") for code in codes]), sizes != len(codes)

    def _count(self, pairs: pa.Table, queries: Integers, passages: Integers, lost: NDArray[np.bool_]) -> None:
        for place, source in enumerate(self._claims.sources):
            own = is_one_of(pairs["source"], [source])
            self.provided[source] += int(own.sum())
            for table, known, rows in (("queries", self._queries, queries[own]), ("passages", self._passages, passages[own])):
                others = rows[known.sources[rows] != place]
                self.foreign[source, table] = np.union1d(self.foreign.get((source, table), np.zeros(0, np.int64)), others)
            for column, code in enumerate(self._claims.targets):
                of_queries, of_passages = self._queries.reasons[code][queries[own]], self._passages.reasons[code][passages[own]]
                tally = pair_tally(of_queries, of_passages, lost[own, column])
                self.tallies[source, code] = self.tallies.get((source, code), Tally()) + tally

    def _check_query_blocks(self) -> Iterator[Fault]:
        """Whether each query is in the block that follows from its passages."""
        blocks, start = block_of(self._leads.keys(), self._claims.blocks), 0
        for number, end in enumerate(self._queries.ends.tolist()):
            name = shard(f"queries/{ENGLISH.code}", number)
            yield from row_faults(name, blocks[start:end] != number, "is in another block than its pairs say")
            start = end


def _of_owners(owners: Integers, rows: int) -> Mask:
    """Which of so many rows are among `owners`."""
    mask = np.zeros(rows, bool)
    mask[owners] = True
    return mask
