"""The policy: scores and thresholds in, the reasons for which a text is rejected out. No other module knows a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline.settings import Thresholds

RowMask = NDArray[np.bool_]
Rejections = dict[str, RowMask]
"""By reason, the rows of a table that it rejects."""
Lengths = NDArray[np.int32]


@dataclass(frozen=True)
class Rule:
    """One threshold: rejects for `reason` what scores below (or above) the setting."""

    reason: str
    score: str
    setting: str
    bad: Literal["below", "above"] = "below"
    of: Literal["all", "short", "long", "judged by length"] = "all"

    def limit(self, thresholds: Thresholds) -> float | None:
        """The threshold, or None where the rule is off."""
        value: float | bool | None = getattr(thresholds, self.setting)
        if isinstance(value, bool):
            return 1.0 if value else None
        return value

    def is_switch(self, thresholds: Thresholds) -> bool:
        """Whether the setting only says yes or no."""
        return isinstance(getattr(thresholds, self.setting), bool)

    def concerns(self, lengths: Lengths, thresholds: Thresholds) -> RowMask:
        """Which texts the rule is for, by the `lengths` of their English in characters."""
        if self.of == "short":
            return lengths < thresholds.short_characters
        if self.of == "long":
            return lengths >= thresholds.short_characters
        if self.of == "judged by length":
            return lengths >= thresholds.length_from
        return np.ones(len(lengths), dtype=bool)


RULES = (
    Rule("language", "language", "language"),
    Rule("script", "script", "min_script"),
    Rule("copied", "copied", "max_copied", "above"),
    Rule("untranslated", "untranslated", "max_untranslated", "above"),
    Rule("repetition", "repetition", "min_repetition"),
    Rule("marks", "marks", "min_marks"),
    Rule("log_probability", "log_probability", "min_log_probability"),
    Rule("ending", "ending", "ending"),
    Rule("sentences", "sentences", "min_sentences"),
    Rule("numbers", "numbers", "min_numbers"),
    Rule("names", "names", "min_names"),
    Rule("length", "length_ratio", "min_length_ratio", "below", "judged by length"),
    Rule("length", "length_ratio", "max_length_ratio", "above", "judged by length"),
    Rule("round_trip", "round_trip", "min_round_trip", "below", "long"),
    Rule("round_trip", "round_trip", "min_round_trip_short", "below", "short"),
    Rule("round_trip", "chrf", "min_chrf"),
    Rule("outlier", "chrf_outlier", "min_chrf_outlier"),
    Rule("outlier", "length_outlier", "min_length_outlier", "below", "judged by length"),
    Rule("outlier", "length_outlier", "max_length_outlier", "above", "judged by length"),
)
REASONS = ("missing", "translation_fault", "empty", *dict.fromkeys(rule.reason for rule in RULES))
"""Why a translated text is rejected; where several hold, the first is the reason that is counted."""

Reasons = list[str | None]
"""Why each text of a table is rejected; None where it is kept."""


def rejections(scored: pa.Table, english: pa.Table | Lengths, thresholds: Thresholds) -> Rejections:
    """For each of `REASONS` the rows of `scored` that it rejects.

    `scored` has the schema `schema.scored(...)`; `english` the same rows in English, or their lengths in characters, which decide
    which thresholds hold. A score that is null rejects nothing.
    """
    lengths = english if isinstance(english, np.ndarray) else text_lengths(english)
    missing = scored["text"].is_null().to_numpy()  # the source does not have it in the language
    empty = pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(scored["text"])), 0), False).to_numpy()
    result = {"missing": missing, "translation_fault": score_column(scored, "faults") > 0, "empty": empty}
    for rule in RULES:
        limit = rule.limit(thresholds)
        scores = score_column(scored, rule.score)
        # Scores are kept as 32 bits: 0.15 is not above 0.15.
        beyond = np.zeros(len(scores), bool) if limit is None else _beyond(scores, np.float32(limit), rule.bad)
        result[rule.reason] = result.get(rule.reason, False) | (beyond & rule.concerns(lengths, thresholds))
    return result


def text_lengths(english: pa.Table) -> Lengths:
    """The length of each English text, in characters."""
    return np.asarray(pc.utf8_length(english["text"]).to_numpy(), dtype=np.int32)


def reasons(scored: pa.Table, english: pa.Table, thresholds: Thresholds) -> Reasons:
    """For each row the reason for rejecting it, or None to keep it; see `rejections`."""
    return first_reasons(rejections(scored, english, thresholds))


def first_reasons(rejected: Rejections) -> Reasons:
    """For each row the first of `REASONS` that rejects it, or None to keep it."""
    result = np.full(len(rejected[REASONS[0]]), None, dtype=object)
    for reason in reversed(REASONS):
        result[rejected[reason]] = reason
    return list(result)


def all_reasons(rejected: Rejections, rows: Sequence[int]) -> list[list[str]]:
    """For each of `rows` all reasons that reject it."""
    return [[reason for reason in REASONS if rejected[reason][row]] for row in rows]


def lost_answers(scores: NDArray[np.float32], thresholds: Thresholds) -> RowMask:
    """For each pair whether its answer is lost in one language, by what is left of it in the passage (0 to 100, NaN if unknown)."""
    if thresholds.min_answers is None:
        return np.zeros(len(scores), dtype=bool)
    return _beyond(scores, np.float32(thresholds.min_answers), "below")


def score_column(scored: pa.Table, name: str) -> NDArray[np.float32]:
    """A column of `scored`, null as NaN, which no comparison holds for; or `round_trip`, the mean of chrF and token sort.

    The two see different things: chrF alone rejects half as many good texts again for the same share of wrong ones
    (`python -m benchmarks.filters`).
    """
    if name == "round_trip":
        return (score_column(scored, "chrf") + score_column(scored, "token_sort")) / np.float32(2)
    return np.asarray(scored[name].to_numpy(), dtype=np.float32)


def _beyond(scores: NDArray[np.float32], limit: np.float32, bad: Literal["below", "above"]) -> RowMask:
    beyond: RowMask = scores < limit if bad == "below" else scores > limit
    return beyond
