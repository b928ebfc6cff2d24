"""Thresholds from a run's own scores: so many texts are to be kept, spread over the checks that have degrees.

A check that says yes or no, or whose score is 1 in any good text (script, numbers, loops), keeps its threshold.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.policy import RULES, Rule
from parallel_qa.pipeline.filters.review.samples import ScoredSample
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


def propose_thresholds(sample: ScoredSample, thresholds: Thresholds, keep: float) -> Thresholds:
    """`thresholds` with those in `GRADED` set so that at least the share `keep` of the good texts is kept.

    Each of them alone rejects a share of the texts that it concerns, in the proportions of `GRADED`, as large as `keep`
    allows. Where the other checks reject too many texts already, the graded ones reject none; but where people said which
    texts are good, the others are made milder. Scores that the run does not have leave their threshold as it is.
    """
    good = sample.take(sample.is_good)
    if not len(good.scored):
        return thresholds
    low, high = 0.0, (1.0 - keep) / min(GRADED.values())
    best = _rejecting(good, thresholds, 0.0)
    for _ in range(_STEPS):
        share = (low + high) / 2
        proposed = _rejecting(good, thresholds, share)
        if kept_share(good, proposed) >= keep:
            low, best = share, proposed
        else:
            high = share
    return best


def kept_share(sample: ScoredSample, thresholds: Thresholds) -> float:
    """The share of the texts that `thresholds` keep."""
    rejected = policy.rejections(sample.scored, sample.english, thresholds)
    return 1.0 - float(np.any(list(rejected.values()), axis=0).mean()) if len(sample.scored) else 1.0


def changed_settings(before: Thresholds, after: Thresholds) -> dict[str, Any]:
    """The settings in which the two differ, with the values of `after`."""
    return {name: getattr(after, name) for name in Thresholds.model_fields if getattr(after, name) != getattr(before, name)}


def _rejecting(sample: ScoredSample, thresholds: Thresholds, share: float) -> Thresholds:
    """`thresholds` with each of `GRADED` set so that it rejects `share`, times its part, of the texts that it concerns."""
    lengths = policy.text_lengths(sample.english)
    values = {}
    for rule in RULES:
        current = rule.limit(thresholds)
        if rule.setting not in GRADED and (sample.good is None or rule.is_switch(thresholds) or current is None):
            continue
        scores = policy.score_column(sample.scored, rule.score)[rule.concerns(lengths, thresholds)]
        limit = _limit_that_rejects(scores[~np.isnan(scores)], rule, min(share * GRADED.get(rule.setting, _MILDER), 1.0))
        if limit is None:
            continue
        if rule.setting not in GRADED and current is not None:
            limit = min(limit, current) if rule.bad == "below" else max(limit, current)
        values[rule.setting] = limit
    return thresholds.model_copy(update=values)


def _limit_that_rejects(scores: NDArray[np.float32], rule: Rule, share: float) -> float | None:
    """A limit beyond which no more than `share` of the scores lie, rounded to the side that rejects less."""
    if not len(scores):
        return None
    factor = 10.0**_DIGITS
    if rule.bad == "below":
        limit = math.floor(float(np.quantile(scores, share, method="lower")) * factor)
    else:
        limit = math.ceil(float(np.quantile(scores, 1.0 - share, method="higher")) * factor)
    return limit / factor
