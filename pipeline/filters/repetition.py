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
    return [
        min(1.0, *(_different(*of(other)) / _different(*of(text)) for of in (_words, _characters)))
        for text, other in zip(english, others, strict=True)
    ]


def _words(text: str) -> tuple[Sequence[str], int]:
    return text.split(), _RUN


def _characters(text: str) -> tuple[Sequence[str], int]:
    return "".join(text.split()), _CHARACTER_RUN


def _different(items: Sequence[str], length: int) -> float:
    runs = [tuple(items[start : start + length]) for start in range(len(items) - length + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0
