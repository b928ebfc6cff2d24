"""In which languages a text of a release survived, as a bit set, and why it did not in the others, as a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.settings import Thresholds
from parallel_qa.pipeline.tally import Tally

ENGLISH_BIT = 0
"""English is the first language of every release, and nothing English is rejected after cleaning."""

NOT_TRANSLATED = "not_translated"
"""The reason of a text in a language that its source is not translated into: there is nothing to judge, so that no filter gives it."""

REASONS = (*policy.REASONS, NOT_TRANSLATED)
"""Why a text of a release is null."""

ReasonNumbers = NDArray[np.int8]
"""By row of a table: 0 where the text survived, else which of `REASONS` rejected it, counted from 1."""

_NUMBERS = {reason: number for number, reason in enumerate(REASONS, 1)}


def reason_numbers(reasons: Sequence[str | None]) -> ReasonNumbers:
    """The number of each reason; 0 for None, and for a reason that there is not."""
    return np.array([0 if reason is None else _NUMBERS.get(reason, 0) for reason in reasons], dtype=np.int8)


def text_tally(numbers: ReasonNumbers) -> Tally:
    """What became of texts."""
    return _tally(numbers, REASONS)


LOST_ANSWER = "lost_answer"
"""The reason of a pair both sides of which survived, while the passage has lost its answer."""


def pair_tally(queries: ReasonNumbers, passages: ReasonNumbers, lost_answers: policy.RowMask) -> Tally:
    """What became of pairs, from what became of both sides, "query_REASON" or "passage_REASON", and of their answers.

    The query's reason goes first, then the passage's.
    """
    names = [*(f"{side}_{reason}" for side in ("query", "passage") for reason in REASONS), LOST_ANSWER]
    of_passages = np.where(passages > 0, passages.astype(np.int64) + len(REASONS), np.where(lost_answers, len(names), 0))
    return _tally(np.where(queries > 0, queries, of_passages), names)


def lost_answers(scores: NDArray[np.float32], thresholds: Sequence[Thresholds]) -> NDArray[np.bool_]:
    """Of each pair and language but English whether the answer is lost, from what is left of it and the thresholds for passages."""
    lost = [policy.lost_answers(of_language, limits) for of_language, limits in zip(scores.T, thresholds, strict=True)]
    return np.stack(lost, axis=1) if lost else np.zeros(scores.shape, dtype=bool)


def language_bits(languages: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row by row the bits of those languages but English that are true."""
    bits = np.left_shift(1, np.arange(ENGLISH_BIT + 1, ENGLISH_BIT + 1 + languages.shape[1]), dtype=np.int64)
    return np.asarray((languages * bits).sum(axis=1), dtype=np.int64)


def _tally(numbers: NDArray[np.integer], names: Sequence[str]) -> Tally:
    """The tally of rows whose reason is the number in `names`, counted from 1, or 0 for none."""
    counts = np.bincount(numbers, minlength=len(names) + 1).tolist()
    return Tally(len(numbers), Counter({name: count for name, count in zip(names, counts[1:], strict=True) if count}))


def rejected_by_reason(manifest: dict[str, Any]) -> list[tuple[str, str, int]]:
    """What a manifest counts as lost: ("row", "query", "passage" or "pair"; reason; count), most frequent first.

    That a source is not translated into a language is no loss.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for facts in manifest["sources"].values():
        totals.update({("row", reason): count for reason, count in facts["rows"]["rejected"].items()})
        for counts in facts["languages"].values():
            for table, name in (("queries", "query"), ("passages", "passage")):
                rejected = counts[table]["rejected"].items()
                totals.update({(name, reason): count for reason, count in rejected if reason != NOT_TRANSLATED})
            totals.update({("pair", reason): count for reason, count in counts["pairs"]["rejected"].items() if reason == LOST_ANSWER})
    return [(where, reason, count) for (where, reason), count in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
