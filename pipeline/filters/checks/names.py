"""Are the names of the English text still there, or did another one take their place?

A name that is written differently after the round trip (Vidal, Fidel) is a fault of spelling; one that is gone while a
strange one stands in the text is a fault of sense, which no other check sees.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from parallel_qa.pipeline.filters.checks.witnesses import mostly

_LETTERS = r"[^\W\d_]"
_WORD = re.compile(rf"{_LETTERS}+(?:['’-]{_LETTERS}+)*")
_NAME = re.compile(rf"(?<!\w)(?=[^\W\d_a-z]){_LETTERS}{{3,}}(?:['’-]{_LETTERS}+)*")
_SMALL = re.compile(r"(?<!\w)[a-z]{3,}(?!\w)")
_OPENING = " \n\"“‘'(["
_ENDING = ".!?:…"
_WINDOW = 6

_SAME = 0.85
"""Words at least so much alike (Jaro-Winkler) are the same name."""


def name_scores(
    english: Sequence[Words],
    others: Sequence[Words],
    witnesses: Sequence[Sequence[Words | None]] = (),
    common: frozenset[str] = frozenset(),
) -> list[float | None]:
    """For each text how like the names that were lost are to those that came from nowhere, 0 to 1.

    1 where nothing was lost, or nothing came from nowhere; None where the English text has no names. A low score says that a
    name was put in the place of another. `witnesses` are what other languages made of the same texts, one sequence a
    language, None where a language has no such text: a name that most of them lost is not missed, and one that any of them
    has did not come from nowhere. Words that are `common` (see `common_words`) are no names: a college may become a faculty.
    """
    return [
        _score(source, other, [texts[row] for texts in witnesses], common)
        for row, (source, other) in enumerate(zip(english, others, strict=True))
    ]


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that `texts` write with a small letter somewhere."""
    return frozenset(itertools.chain.from_iterable(_SMALL.findall(text) for text in texts))


class Words:
    """A text as words that can be compared: without accents, in small letters. Read when first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text if text.isascii() else "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))

    @cached_property
    def all(self) -> list[str]:
        return list(dict.fromkeys(_plain(word) for word in _WORD.findall(self._text)))

    @cached_property
    def names(self) -> list[str]:
        """Words with a capital that do not begin a sentence."""
        found = [match for match in _NAME.finditer(self._text) if match[0][0].isupper() and not self._begins_sentence(match.start())]
        return list(dict.fromkeys(_plain(match[0]) for match in found))

    def _begins_sentence(self, place: int) -> bool:
        before = self._text[max(place - _WINDOW, 0) : place].rstrip(_OPENING)
        return not before or before[-1] in _ENDING


def _plain(word: str) -> str:
    return word.lower() if word.isalpha() else "".join(filter(str.isalpha, word.lower()))


def _likeness(names: list[str], words: list[str]) -> NDArray[np.float32]:
    """How like each name is to the word that is most like it."""
    if not names or not words:
        return np.zeros(len(names), dtype=np.float32)
    best: NDArray[np.float32] = process.cdist(names, words, scorer=JaroWinkler.normalized_similarity, dtype=np.float32).max(axis=1)
    return best


def _score(source: Words, other: Words, witnesses: list[Words | None], common: frozenset[str]) -> float | None:
    if not source.names:
        return None
    told = [witness for witness in witnesses if witness]
    lost = [
        name
        for name, likeness in zip(source.names, _likeness(source.names, other.all), strict=True)
        if likeness < _SAME and name not in common and mostly([_likeness([name], witness.all)[0] >= _SAME for witness in told])
    ]
    if not lost:
        return 1.0
    strange = [
        name
        for name, likeness in zip(other.names, _likeness(other.names, source.all), strict=True)
        if likeness < _SAME and not any(_likeness([name], witness.all)[0] >= _SAME for witness in told)
    ]
    return min((float(_likeness([name], lost)[0]) for name in strange), default=1.0)
