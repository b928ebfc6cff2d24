"""Thresholds from a run's own scores: so many texts are to be kept, spread over the checks that have degrees.

A check that says yes or no, or whose score is 1 in any good text (script, numbers, loops), keeps its threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.policy import RULES, Rule
from parallel_qa.pipeline.settings import Thresholds

GRADED = {
    "min_round_trip": 0.7,
    "min_round_trip_short": 1.5,
    "min_names": 2.0,
    "min_length_ratio": 0.2,
    "max_length_ratio": 0.1,
    "min_length_outlier": 0.6,
    "max_length_outlier": 0.1,
    "min_log_probability": 0.2,
}
"""The settings that are proposed, and the part that each gets of what may be rejected: more where that catches more."""

_MILDER = 0.3
"""The same for the others, where people said which texts are good."""
_STEPS = 20
_DIGITS = 3


@dataclass(frozen=True)
class Batch:
    """Scored texts and the same rows in English, of which `good` says what a person thinks, where one was asked."""

    scored: pa.Table
    english: pa.Table
    good: NDArray[np.bool_] | None = None
    """Which rows are good; all that are not marked bad where None."""

    def take(self, rows: NDArray[np.bool_]) -> Batch:
        """The rows that `rows` picks."""
        mask = pa.array(rows)
        return Batch(self.scored.filter(mask), self.english.filter(mask), None if self.good is None else self.good[rows])


def propose(batch: Batch, thresholds: Thresholds, keep: float) -> Thresholds:
    """`thresholds` with those in `GRADED` set so that at least the share `keep` of the good texts is kept.

    Each of them alone rejects a share of the texts that it concerns, in the proportions of `GRADED`, as large as `keep`
    allows. Where the other checks reject too many texts already, the graded ones reject none; but where people said which
    texts are good, the others are made milder. Scores that the run does not have leave their threshold as it is.
    """
    good = batch if batch.good is None else batch.take(batch.good)
    if not len(good.scored):
        return thresholds
    low, high = 0.0, (1.0 - keep) / min(GRADED.values())
    best = _at(good, thresholds, 0.0)
    for _ in range(_STEPS):
        share = (low + high) / 2
        proposed = _at(good, thresholds, share)
        if kept_share(good, proposed) >= keep:
            low, best = share, proposed
        else:
            high = share
    return best


def kept_share(batch: Batch, thresholds: Thresholds) -> float:
    """The share of the texts that `thresholds` keep."""
    found = policy.hits(batch.scored, batch.english, thresholds)
    return 1.0 - float(np.any(list(found.values()), axis=0).mean()) if len(batch.scored) else 1.0


def changes(before: Thresholds, after: Thresholds) -> dict[str, Any]:
    """The settings in which the two differ, with the values of `after`."""
    return {name: getattr(after, name) for name in Thresholds.model_fields if getattr(after, name) != getattr(before, name)}


def _at(batch: Batch, thresholds: Thresholds, share: float) -> Thresholds:
    lengths = policy.text_lengths(batch.english)
    values = {}
    for rule in RULES:
        current = rule.limit(thresholds)
        if rule.setting not in GRADED and (batch.good is None or rule.switch(thresholds) or current is None):
            continue
        scores = policy.score(batch.scored, rule.score)[rule.concerns(lengths, thresholds)]
        limit = _quantile(scores[~np.isnan(scores)], rule, min(share * GRADED.get(rule.setting, _MILDER), 1.0))
        if limit is None:
            continue
        if rule.setting not in GRADED and current is not None:
            limit = min(limit, current) if rule.bad == "below" else max(limit, current)
        values[rule.setting] = limit
    return thresholds.model_copy(update=values)


def _quantile(scores: NDArray[np.float32], rule: Rule, share: float) -> float | None:
    """A limit beyond which no more than `share` of the scores lie, rounded to the side that rejects less."""
    if not len(scores):
        return None
    factor = 10.0**_DIGITS
    if rule.bad == "below":
        limit = math.floor(float(np.quantile(scores, share, method="lower")) * factor)
    else:
        limit = math.ceil(float(np.quantile(scores, 1.0 - share, method="higher")) * factor)
    return limit / factor


def conjoin(batches: Sequence[Batch]) -> Batch:
    """Several batches as one; they may be of questions and of passages."""
    good = None
    if any(batch.good is not None for batch in batches):
        good = np.concatenate([np.ones(len(batch.scored), bool) if batch.good is None else batch.good for batch in batches])
    scored = pa.concat_tables([batch.scored.select(["text", *schema.SCORES.names]) for batch in batches])
    return Batch(scored, pa.concat_tables([batch.english.select(["text"]) for batch in batches]), good)
