"""Does a translation keep what is not words: addresses, brackets, quotes?"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"'“”]+|[\w.+-]+@[\w-]+\.[\w.]+")
_TRAILING = ".,;:!?。，"
_UNBALANCED = 0.25
_PAIRS = ("()（）", "[]［］【】", "{}")
_QUOTES = re.compile(r"[\"“”„«»「」『』《》〈〉＂]")


def mark_scores(english: Sequence[str], translations: Sequence[str]) -> list[float | None]:
    """For each translation the share of its English text's addresses that it has as they were written.

    Less a quarter where brackets or quotes that the English balances are not balanced here: models drop and double those
    without harm to the sense. None where the English has neither.
    """
    return [_score(text, other) for text, other in zip(english, translations, strict=True)]


def _score(english: str, translation: str) -> float | None:
    wanted = addresses(english)
    pairs = [kind for kind in _PAIRS if kind[0] in english and _balance(english, kind) == 0]
    quotes = len(_QUOTES.findall(english))
    quoted = quotes > 0 and quotes % 2 == 0
    if not wanted and not pairs and not quoted:
        return None
    kept = sum(address in translation for address in wanted) / len(wanted) if wanted else 1.0
    balanced = all(_balance(translation, kind) == 0 for kind in pairs) and not (quoted and len(_QUOTES.findall(translation)) % 2)
    return max(kept - (0.0 if balanced else _UNBALANCED), 0.0)


def addresses(text: str) -> set[str]:
    """The web and mail addresses in `text`, without the marks of the sentence around them."""
    return {found.rstrip(_TRAILING) for found in _ADDRESS.findall(text)}


def _balance(text: str, kind: str) -> int:
    return sum(text.count(mark) * (1 if place % 2 == 0 else -1) for place, mark in enumerate(kind))
