"""Thresholds from scores, or from scores and what people think of the texts.

A check that says yes or no keeps its threshold, and so does one that is switched off. Where nobody was asked, a check whose
score is 1 in any good text (script, numbers, loops) keeps it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
_SLACK = 1e-9  # of sums of weights

AnyThresholds = TypeVar("AnyThresholds", bound=Thresholds)


@dataclass(frozen=True)
class Part:
    """Texts for which the same exceptions hold, and the thresholds that these fix."""

    sample: ScoredSample
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def kept(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """Which texts `thresholds` keep, but for those that are fixed."""
        rejected = policy.rejections(self.sample.scored, self.sample.english, thresholds.model_copy(update=self.fixed))
        kept: NDArray[np.bool_] = ~np.any(list(rejected.values()), axis=0)
        return kept

    def concerned(self, rule: Rule, thresholds: Thresholds) -> NDArray[np.float32]:
        """Row by row the score that the rule's threshold is compared with; NaN where it is with none, or is fixed."""
        scores = policy.score_column(self.sample.scored, rule.score)
        if rule.setting in self.fixed:
            return np.full_like(scores, np.nan)
        concerned = rule.concerns(policy.text_lengths(self.sample.english), thresholds.model_copy(update=self.fixed))
        return np.where(concerned, scores, np.float32(np.nan))


def propose_thresholds(parts: Sequence[Part], thresholds: AnyThresholds, keep: float) -> AnyThresholds:
    """`thresholds` changed so that at least the share `keep` of the good texts is kept, each counting by its weight.

    Where nobody said which are good: those in `GRADED` are set. Each of them alone rejects a share of the texts that it
    concerns, in the proportions of `GRADED`, as large as `keep` allows. Where the other checks reject too many texts already, the
    graded ones reject none.

    Where people said so: as long as too few good texts are kept, all checks are made milder, alike. What `keep` leaves is then
    spent on the bad texts: step by step that threshold is moved that rejects the largest share of the bad texts beyond the share
    of the good ones that it costs, until none rejects more of the bad than of the good; every verdict counts once here. It comes to
    lie halfway between the scores that it parts.

    Scores that the texts do not have leave their threshold as it is.
    """
    if not any(np.any(part.sample.is_good) for part in parts):
        return thresholds
    judged = any(part.sample.good is not None for part in parts)
    low, high = 0.0, (1.0 - keep) / min(GRADED.values())
    best = _with_limits(parts, thresholds, 0.0, judged)
    if judged and kept_share(parts, thresholds) >= keep:
        best, high = thresholds, 0.0
    for _ in range(_STEPS if high else 0):
        share = (low + high) / 2
        proposed = _with_limits(parts, thresholds, share, judged)
        if kept_share(parts, proposed) >= keep:
            low, best = share, proposed
        else:
            high = share
    return _rejecting_bad(parts, best, keep) if judged else best


def kept_share(parts: Sequence[Part], thresholds: Thresholds) -> float:
    """The share of the good texts that `thresholds` keep, by their weights."""
    kept = total = 0.0
    for part in parts:
        weights = part.sample.row_weights * part.sample.is_good
        kept += float(weights[part.kept(thresholds)].sum())
        total += float(weights.sum())
    return kept / total if total else 1.0


def changed_settings(before: Thresholds, after: Thresholds) -> dict[str, Any]:
    """The settings in which the two differ, with the values of `after`."""
    return {name: getattr(after, name) for name in Thresholds.model_fields if getattr(after, name) != getattr(before, name)}


def _movable(thresholds: Thresholds, judged: bool) -> Iterator[Rule]:
    """The rules whose threshold may change: those with degrees that are on, or off only because nobody ever set them."""
    for rule in RULES:
        off = rule.limit(thresholds) is None and (rule.setting not in GRADED or rule.setting in thresholds.model_fields_set)
        if not off and not rule.is_switch(thresholds) and (judged or rule.setting in GRADED):
            yield rule


def _with_limits(parts: Sequence[Part], thresholds: AnyThresholds, share: float, judged: bool) -> AnyThresholds:
    """`thresholds` so that each rejects `share`, times its part, of the good texts that it concerns; where judged, none stricter."""
    values = {}
    for rule in _movable(thresholds, judged):
        current = rule.limit(thresholds)
        if judged and current is None:
            continue
        scores = np.concatenate([part.concerned(rule, thresholds) for part in parts])
        weights = np.concatenate([part.sample.row_weights * part.sample.is_good for part in parts])
        counted = ~np.isnan(scores) & (weights > 0)
        limit = _limit_that_rejects(scores[counted], weights[counted], rule, min(share * GRADED.get(rule.setting, _MILDER), 1.0))
        if limit is None:
            continue
        if judged and current is not None:
            limit = min(limit, current) if rule.bad == "below" else max(limit, current)
        values[rule.setting] = limit
    return thresholds.model_copy(update=values)


def _limit_that_rejects(scores: NDArray[np.float32], weights: NDArray[np.float64], rule: Rule, share: float) -> float | None:
    """The strictest limit beyond which no more than `share` of the weight lies, rounded to the side that rejects less."""
    if not len(scores):
        return None
    order = np.argsort(scores if rule.bad == "below" else -scores, kind="stable")
    beyond = np.cumsum(weights[order]) - weights[order]
    place = int(np.searchsorted(beyond, share * weights.sum() * (1 + _SLACK), side="right")) - 1
    return _rounded(float(scores[order][place]), rule)


def _rounded(limit: float, rule: Rule) -> float:
    """`limit` with `_DIGITS` digits, rounded to the side that rejects less."""
    factor = 10.0**_DIGITS
    return math.floor(limit * factor) / factor if rule.bad == "below" else math.ceil(limit * factor) / factor


@dataclass(frozen=True)
class _Move:
    """Another limit for a rule, and how much more of the bad texts than of the good ones it rejects, as shares."""

    setting: str
    limit: float
    gain: float


def _rejecting_bad(parts: Sequence[Part], thresholds: AnyThresholds, keep: float) -> AnyThresholds:
    """`thresholds` made stricter where that rejects more of the bad texts than of the good, as far as `keep` allows."""
    good = np.concatenate([part.sample.is_good for part in parts])
    weights = np.concatenate([part.sample.row_weights for part in parts]) * good
    while True:
        kept = np.concatenate([part.kept(thresholds) for part in parts])
        spare = float(weights[kept].sum()) - keep * float(weights.sum()) * (1 - _SLACK)
        moves = []
        for rule in _movable(thresholds, judged=True):
            scores = np.concatenate([part.concerned(rule, thresholds) for part in parts])
            if move := _best_move(rule, scores, kept, good, weights, spare):
                moves.append(move)
        if not moves:
            return thresholds
        best = max(moves, key=lambda move: move.gain)
        thresholds = thresholds.model_copy(update={best.setting: best.limit})


def _best_move(
    rule: Rule,
    scores: NDArray[np.float32],
    kept: NDArray[np.bool_],
    good: NDArray[np.bool_],
    weights: NDArray[np.float64],
    spare: float,
) -> _Move | None:
    """The stricter limit that gains most, of those that cost no more than `spare` of the weight; None where none gains."""
    here = kept & ~np.isnan(scores)
    towards = (scores if rule.bad == "below" else -scores)[here].astype(np.float64)
    order = np.argsort(towards, kind="stable")
    ordered, is_good = towards[order], good[here][order]
    rejected, stays = ordered[:-1], ordered[1:]
    factor = 10.0**_DIGITS
    limits = np.floor((rejected + stays) / 2 * factor) / factor
    lost = np.cumsum(is_good)[:-1] / max(int(good.sum()), 1)
    caught = np.cumsum(~is_good)[:-1] / max(int((~good).sum()), 1)
    possible = (rejected < limits.astype(np.float32)) & (limits.astype(np.float32) <= stays)
    possible &= np.cumsum(weights[here][order])[:-1] <= max(spare, 0.0)
    possible &= _allowed(rule.setting, limits if rule.bad == "below" else -limits)
    gains = np.where(possible, caught - lost, 0.0)
    if not len(gains) or gains.max() <= _SLACK:
        return None
    place = int(gains.argmax())
    return _Move(rule.setting, float(limits[place] if rule.bad == "below" else -limits[place]), float(gains[place]))


def _allowed(setting: str, limits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which limits the setting can be set to."""
    result = np.ones(len(limits), dtype=bool)
    for constraint in Thresholds.model_fields[setting].metadata:
        result &= limits >= getattr(constraint, "ge", -np.inf)
        result &= limits <= getattr(constraint, "le", np.inf)
    return result
