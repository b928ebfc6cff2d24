"""Loops: a model that repeats itself writes the same three words, or the same characters, again and again."""

from __future__ import annotations

from collections.abc import Sequence

_RUN = 3
_CHARACTER_RUN = 8


def repetition_scores(english: Sequence[str], others: Sequence[str]) -> list[float]:
    """How many different runs each of `others` has for the English text it was made from, at most 1.

    Of the runs of three words, and of eight characters (which judge scripts without spaces), the share of different
    ones, by that of the English text: what repeats a name there may do so here. The lower of the two counts.
    """
    return [_repetition_score(text, other) for text, other in zip(english, others, strict=True)]


def _repetition_score(english: str, other: str) -> float:
    own = _shares_of_different_runs(other)
    if own == (1.0, 1.0):
        return 1.0
    return min(1.0, *(share / expected for share, expected in zip(own, _shares_of_different_runs(english), strict=True)))


def _shares_of_different_runs(text: str) -> tuple[float, float]:
    """Share of different ones among the runs of words, and among those of characters."""
    words = text.split()
    runs = list(zip(*(words[start:] for start in range(_RUN)), strict=False))
    letters = "".join(words)
    count = len(letters) - _CHARACTER_RUN + 1
    characters = {letters[start : start + _CHARACTER_RUN] for start in range(count)}
    return len(set(runs)) / len(runs) if runs else 1.0, len(characters) / count if count > 0 else 1.0
