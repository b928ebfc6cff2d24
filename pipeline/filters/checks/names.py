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

from parallel_qa.pipeline.english_words import joined
from parallel_qa.pipeline.filters.checks.witnesses import seen_by_most

_LETTER = r"[^\W\d_]"
_WORD = re.compile(joined(_LETTER))
# Names that are alike in two texts: letters of any script and no numbers, which `english_words.NAME_OR_NUMBER` has too.
_NAME = re.compile(rf"(?<!\w)(?=[^\W\d_a-z]){_LETTER}{{3,}}(?:['’-]{_LETTER}+)*")
_SMALL = re.compile(r"(?<!\w)[a-z]{3,}(?!\w)")
_OPENING = " \n\"“‘'(["
_ENDING = ".!?:…"
_WINDOW = 6

_SAME = 0.85
"""Words at least so much alike (Jaro-Winkler) are the same name."""


class FoldedText:
    """A text as words that can be compared: without accents, in small letters. Read when first asked for."""

    def __init__(self, text: str) -> None:
        decomposed = text if text.isascii() else unicodedata.normalize("NFKD", text)
        self._text = decomposed if text.isascii() else "".join(itertools.filterfalse(unicodedata.combining, decomposed))

    @cached_property
    def words(self) -> list[str]:
        """Its words, each once."""
        return list(dict.fromkeys(map(_letters_of, dict.fromkeys(_WORD.findall(self._text)))))

    @cached_property
    def names(self) -> list[str]:
        """Words with a capital that do not begin a sentence, each once."""
        capitals = (match for match in _NAME.finditer(self._text) if match[0][0].isupper())
        return list(dict.fromkeys(_letters_of(match[0]) for match in capitals if not self._begins_sentence(match.start())))

    def has(self, name: str) -> bool:
        """Whether one of its words is the same name."""
        return name in self._word_set or bool(_greatest_likeness([name], self.words)[0] >= _SAME)

    def lacks(self, names: list[str]) -> list[str]:
        """Those of `names` that none of its words is the same as."""
        others = [name for name in names if name not in self._word_set]
        return [name for name, likeness in zip(others, _greatest_likeness(others, self.words), strict=True) if likeness < _SAME]

    @cached_property
    def _word_set(self) -> frozenset[str]:
        return frozenset(self.words)

    def _begins_sentence(self, place: int) -> bool:
        before = self._text[max(place - _WINDOW, 0) : place].rstrip(_OPENING)
        return not before or before[-1] in _ENDING


def name_scores(
    english: Sequence[FoldedText],
    others: Sequence[FoldedText],
    witnesses: Sequence[Sequence[FoldedText | None]] = (),
    common: frozenset[str] = frozenset(),
) -> list[float | None]:
    """For each text how like the names that were lost are to those that came from nowhere, 0 to 1.

    1 where nothing was lost, or nothing came from nowhere; None where the English text has no names. A low score says that a
    name was put in the place of another. `witnesses` are what other languages made of the same texts, one sequence a
    language, None where a language has no such text: a name that most of them lost is not missed, and one that any of them
    has did not come from nowhere. Words that are `common` (see `common_words`) are no names: a college may become a faculty.
    """
    return [
        _name_score(source, other, [texts[row] for texts in witnesses], common)
        for row, (source, other) in enumerate(zip(english, others, strict=True))
    ]


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that `texts` write with a small letter somewhere."""
    return frozenset(itertools.chain.from_iterable(_SMALL.findall(text) for text in texts))


def _name_score(source: FoldedText, other: FoldedText, witnesses: list[FoldedText | None], common: frozenset[str]) -> float | None:
    if not source.names:
        return None
    present = [witness for witness in witnesses if witness is not None]
    missing = [name for name in other.lacks(source.names) if name not in common]
    lost = [name for name in missing if seen_by_most([witness.has(name) for witness in present])]
    if not lost:
        return 1.0
    strange = [name for name in source.lacks(other.names) if not any(witness.has(name) for witness in present)]
    return min((float(_greatest_likeness([name], lost)[0]) for name in strange), default=1.0)


def _letters_of(word: str) -> str:
    """The letters of `word`, small."""
    return word.lower() if word.isalpha() else "".join(filter(str.isalpha, word.lower()))


def _greatest_likeness(names: list[str], words: list[str]) -> NDArray[np.float32]:
    """How like each name is to the word that is most like it."""
    if not names or not words:
        return np.zeros(len(names), dtype=np.float32)
    best: NDArray[np.float32] = process.cdist(names, words, scorer=JaroWinkler.normalized_similarity, dtype=np.float32).max(axis=1)
    return best
