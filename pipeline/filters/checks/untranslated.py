"""English left standing: words that a translation took over from its English text in one run.

Language identification takes a text that is English for a third or a half for the other language, or for English,
as it happens. A run of words that stand in the same order in the English text is seen for what it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.english_words import FUNCTION_WORDS, joined
from parallel_qa.pipeline.languages import Language

_WORD = re.compile(joined(r"[^\W_]"))
# Scripts without spaces let Latin letters touch their own.
_LATIN_OR_OTHER_WORD = re.compile(joined("[A-Za-z0-9]") + r"|[^\W_A-Za-z0-9]+")
_LATIN_LETTERS = re.compile(r"[A-Za-z]{2}")

_INSIDE_WEIGHT = 0.4
_ALIGNED = 3


@dataclass(frozen=True)
class _CopiedRun:
    """Words of a translation that follow each other in its English text too."""

    words: int
    function_words: int
    content_words: int  # those that are no names: they begin with a small letter
    at_end: bool  # the translation begins or ends as the English does

    def weight(self, latin: bool) -> float:
        """What each word of the run counts.

        At the head or the tail two English words are enough; one, with a name beside it, where the language is written in
        another script. Inside, where titles and terms are quoted, both a function word and another one are needed, and they
        count less.
        """
        english = self.function_words + self.content_words
        if self.at_end and (english >= 2 or (not latin and english and self.words >= 2)):
            return 1.0
        return _INSIDE_WEIGHT if self.function_words and self.content_words else 0.0


def untranslated_shares(english: Sequence[str], translations: Sequence[str], language: Language) -> list[float]:
    """For each translation its longest run of words copied from the English text, as a share of that text's words.

    A run inside the translation counts less than one at its head or tail, and one of names alone not at all.
    """
    latin = language.script == "Latn"
    return [_untranslated_share(text, other, latin) for text, other in zip(english, translations, strict=True)]


def _untranslated_share(english: str, translation: str, latin: bool) -> float:
    if not _LATIN_LETTERS.search(translation):
        return 0.0
    source = _WORD.findall(english.lower())
    words = (_WORD if latin else _LATIN_OR_OTHER_WORD).findall(translation)
    return max((run.weight(latin) * run.words / len(source) for run in _copied_runs(source, words)), default=0.0)


def _copied_runs(source: list[str], words: list[str]) -> Iterator[_CopiedRun]:
    known, follow = set(source), set(itertools.pairwise(source))
    lower = [word.lower() for word in words]
    start = 0
    while start < len(words):
        if lower[start] not in known or not words[start].isascii():
            start += 1
            continue
        end = start + 1
        while end < len(words) and (lower[end - 1], lower[end]) in follow:
            end += 1
        aligned = min(end - start, _ALIGNED)
        function_words = sum(word in FUNCTION_WORDS for word in lower[start:end])
        others = sum(word[0].islower() and len(word) > 1 and word not in FUNCTION_WORDS for word in words[start:end])
        head = start == 0 and lower[:aligned] == source[:aligned]
        tail = end == len(words) and lower[-aligned:] == source[-aligned:]
        yield _CopiedRun(end - start, function_words, others, head or tail)
        start = end
