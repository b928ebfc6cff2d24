"""Hard negatives by BM25 over the English side; as row numbers they serve every language at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, utils

from parallel_qa.pipeline.errors import UserError

NONE = -1
"""Stands in a row of mined negatives where there are no more."""

_BATCH = 1_000
_MORE = 10
"""Candidates beyond those that are wanted, for positives and their near-duplicates among them."""
_NEAR = 90.0
"""A passage so much like a positive (rapidfuzz's token set ratio, 0 to 100) is one, too."""


def mine(
    queries: Sequence[str], passages: Sequence[str], pairs: tuple[NDArray[np.int64], NDArray[np.int64]], count: int
) -> NDArray[np.int64]:
    """For each query up to `count` passages that BM25 ranks high and that do not answer it; row by row, the hardest first.

    `pairs` are the query rows and passage rows of all links: the positives of a query, and what is nearly one of them, are left
    out. Raises UserError where bm25s is not installed.
    """
    try:
        import bm25s
    except ImportError:
        raise UserError("release.mined_negatives: bm25s is not installed: pip install 'parallel-qa[mine]'") from None
    result = np.full((len(queries), count), NONE, dtype=np.int64)
    if not queries or not passages or not count:
        return result
    index = bm25s.BM25()
    tokens = bm25s.tokenize(list(passages), show_progress=False)
    index.index(tokens, show_progress=False)
    positives = _positives(len(queries), *pairs)
    most = min(count + _MORE, len(passages))
    for start in range(0, len(queries), _BATCH):
        batch = list(queries[start : start + _BATCH])
        asked = bm25s.tokenize(batch, return_ids=False, show_progress=False)
        found, scores = index.retrieve(asked, k=most, show_progress=False, n_threads=0)
        for offset, (rows, ranks) in enumerate(zip(found, scores, strict=True)):
            own = positives[start + offset]
            ranked = [int(row) for row, rank in zip(rows, ranks, strict=True) if rank > 0]
            chosen = list(_not_alike(ranked, own, passages, count))
            result[start + offset, : len(chosen)] = chosen
    return result


def _positives(queries: int, query_rows: NDArray[np.int64], passage_rows: NDArray[np.int64]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(queries)]
    for query, passage in zip(query_rows.tolist(), passage_rows.tolist(), strict=True):
        found[query].append(passage)
    return found


def _not_alike(ranked: list[int], positives: list[int], passages: Sequence[str], count: int) -> Iterator[int]:
    """The first `count` of the ranked rows that are no positive and not nearly one."""
    kept = 0
    texts = [utils.default_process(passages[row]) for row in positives]
    for row in ranked:
        if kept == count:
            return
        candidate = utils.default_process(passages[row])
        if row in positives or any(fuzz.token_set_ratio(candidate, text) >= _NEAR for text in texts):
            continue
        kept += 1
        yield row


def fill_up(given: Sequence[Sequence[int]], mined: NDArray[np.int64], positives: NDArray[np.int64], count: int) -> list[list[int]]:
    """The negatives of each pair: those that its source gave, then mined ones of its query until there are `count`.

    `mined` has a row a pair; no passage stands twice, and none is the pair's positive.
    """
    result = []
    for own, more, positive in zip(given, mined.tolist(), positives.tolist(), strict=True):
        every = dict.fromkeys([*own, *(row for row in more if row != NONE)])
        chosen = [row for row in every if row != positive]
        result.append(chosen[: max(count, len(own))])
    return result
