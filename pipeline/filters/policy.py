"""The policy: scores and thresholds in, the reason for each rejected text out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.settings import FilterSettings

REASONS = ("missing", "translation_fault", "empty", "language", "script", "copied", "repetition", "numbers", "length", "round_trip")
"""Why a translated text is rejected; where several hold, the first is given."""


def reasons(scored: pa.Table, english: pa.Table, settings: FilterSettings) -> list[str | None]:
    """For each row of `scored` the reason for rejecting it, or None to keep it.

    `scored` has the schema `schema.scored(...)`; `english` the same rows in English, whose length
    decides which chrF threshold holds. A score that is null rejects nothing.
    """
    length = np.array([len(text) for text in english["text"].to_pylist()])
    threshold = np.where(length < settings.short_characters, settings.min_chrf_short, settings.min_chrf)
    ratio = _column(scored, "length_ratio")
    texts = scored["text"].to_pylist()
    hits = {
        "missing": np.array([text is None for text in texts], dtype=bool),  # the source does not have it in the language
        "empty": np.array([text is not None and not text.strip() for text in texts], dtype=bool),
        "translation_fault": _column(scored, "faults") > 0,
        "script": _column(scored, "script") < settings.min_script,
        "copied": _column(scored, "copied") > settings.max_copied,
        "repetition": _column(scored, "repetition") < settings.min_repetition,
        "numbers": _column(scored, "numbers") < settings.min_numbers,
        "length": (length >= settings.length_from) & ((ratio < settings.min_length_ratio) | (ratio > settings.max_length_ratio)),
        "language": (_column(scored, "language") < 1) & settings.language,
        "round_trip": _column(scored, "chrf") < threshold,
    }
    result: list[str | None] = [None] * scored.num_rows
    for reason in reversed(REASONS):
        for row in np.flatnonzero(hits[reason]):
            result[row] = reason
    return result


def _column(table: pa.Table, name: str) -> NDArray[np.float64]:
    """The column as floats, null as NaN, which no comparison holds for."""
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
