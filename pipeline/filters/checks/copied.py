"""Source text left in a translation: whole, or half-translated, which language identification does not see."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Words that begin with a small letter, so that they are no names, and too long to be a word of the other language by chance.
_WORD = re.compile(r"\b[a-z][a-z'-]{3,}\b")
_LEAST = 3


def copied_shares(english: Sequence[str], translations: Sequence[str]) -> list[float]:
    """For each translation the share of its words that were copied from the English text; 0 where fewer than three were.

    It has as many words as the English text if it is written without spaces.
    """
    return [_copied_share(text, translation) for text, translation in zip(english, translations, strict=True)]


def _copied_share(text: str, translation: str) -> float:
    words = _WORD.findall(translation)
    if len(words) < _LEAST:
        return 0.0
    copied = sum(map(set(_WORD.findall(text)).__contains__, words))
    return copied / max(len(translation.split()), len(text.split())) if copied >= _LEAST else 0.0
