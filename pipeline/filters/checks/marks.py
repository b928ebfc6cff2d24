"""Does a translation keep what is not words: addresses, brackets, quotes?"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What has to be the same in any language; what must not be cut into clauses is more (`translation/sentences.py`).
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"'“”]+|[\w.+-]+@[\w-]+\.[\w.]+")
_SIGNS_OF_ADDRESS = ("@", "://", "www.")
_TRAILING = ".,;:!?。，"
_UNBALANCED = 0.25
_BRACKETS = ("()（）", "[]［］【】", "{}")
_QUOTES = re.compile(r"[\"“”„«»「」『』《》〈〉＂]")


def mark_scores(english: Sequence[str], translations: Sequence[str]) -> list[float | None]:
    """For each translation the share of its English text's addresses that it has as they were written.

    Less a quarter where brackets or quotes that the English balances are not balanced here: models drop and double those
    without harm to the sense. None where the English has neither.
    """
    return [_mark_score(text, translation) for text, translation in zip(english, translations, strict=True)]


def _mark_score(english: str, translation: str) -> float | None:
    expected = addresses(english)
    brackets = [kind for kind in _BRACKETS if kind[0] in english and _open_brackets(english, kind) == 0]
    quotes = len(_QUOTES.findall(english))
    quoted = quotes > 0 and quotes % 2 == 0
    if not expected and not brackets and not quoted:
        return None
    kept = sum(address in translation for address in expected) / len(expected) if expected else 1.0
    closed = all(_open_brackets(translation, kind) == 0 for kind in brackets)
    balanced = closed and not (quoted and len(_QUOTES.findall(translation)) % 2)
    return max(kept - (0.0 if balanced else _UNBALANCED), 0.0)


def addresses(text: str) -> set[str]:
    """The web and mail addresses in `text`, without the marks of the sentence around them."""
    if not any(sign in text for sign in _SIGNS_OF_ADDRESS):
        return set()
    return {address.rstrip(_TRAILING) for address in _ADDRESS.findall(text)}


def _open_brackets(text: str, kind: str) -> int:
    """How many brackets of `kind`, which lists opening and closing ones by turns, are opened and not closed."""
    return sum(text.count(bracket) * (1 if place % 2 == 0 else -1) for place, bracket in enumerate(kind))
