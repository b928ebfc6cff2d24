"""What is left of the answers of pairs in the translations of their passages.

Translations are scored passage by passage, with a score for each answer that is looked for there; a pair has one of these answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from parallel_qa.pipeline.release.layout.order import Hashes, Integers
from parallel_qa.pipeline.tables import one_array

Scores = NDArray[np.float32]
"""Of shape (pairs, languages), 0 to 100; NaN where that cannot be said."""


class AnswerScores:
    """The scores of all answers of one source, found again by passage and answer."""

    def __init__(self, answers: Iterable[pa.Table], scores: Sequence[Iterable[pa.Table]]) -> None:
        """`answers`, of schema `schema.ANSWERS`, and for each language `scores`, of schema `schema.ANSWER_SCORES`, row by row of passages.

        A language in which nothing was scored has no tables.
        """
        keys, start = [np.zeros(0, np.uint64)], 0
        for table in answers:
            lists = one_array(table["answers"])
            rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64) + start
            keys.append(_keys(rows, lists.flatten().to_pylist()))
            start += len(table)
        unsorted = np.concatenate(keys)
        order = np.argsort(unsorted)
        self._keys = unsorted[order]
        self._scores = np.full((len(order), len(scores)), np.nan, dtype=np.float32)
        for place, tables in enumerate(scores):
            flat = [one_array(table["scores"]).flatten().to_numpy(zero_copy_only=False) for table in tables]
            if flat:
                self._scores[:, place] = np.concatenate(flat)[order]

    def of_pairs(self, pairs: pa.Table) -> Scores:
        """The scores of pairs of the source, of schema `schema.PAIRS`, with the source's own rows."""
        answers = pairs["answer"].to_pylist()
        wanted = _keys(pairs["passage_row"].to_numpy(), [answer or "" for answer in answers])
        at = np.minimum(np.searchsorted(self._keys, wanted), max(len(self._keys) - 1, 0))
        found = np.full((len(pairs), self._scores.shape[1]), np.nan, dtype=np.float32)
        if len(self._keys):
            known = (self._keys[at] == wanted) & np.array([bool(answer) for answer in answers], dtype=bool)
            found[known] = self._scores[at[known]]
        return found


def score_lists(scores: Scores) -> pa.ListArray:
    """The scores as a column of lists, with null in place of NaN; a pair without any score has no list."""
    pairs, languages = scores.shape
    values = pa.array(scores.ravel(), from_pandas=True)
    lists = pa.ListArray.from_arrays(np.arange(pairs + 1, dtype=np.int32) * languages, values)
    return pc.if_else(pa.array(np.isnan(scores).all(axis=1)), pa.scalar(None, lists.type), lists)


def _keys(rows: Integers, answers: Sequence[str]) -> Hashes:
    hashes = np.array([xxhash.xxh3_64_intdigest(answer.encode()) for answer in answers], dtype=np.uint64)
    with np.errstate(over="ignore"):
        return hashes ^ (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
