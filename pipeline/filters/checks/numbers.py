"""Are the numbers of the English text still there? Digits of any script and any grouping count as the same number."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.filters.checks.witnesses import seen_by_hardly_any, seen_by_most

_GROUPED = re.compile(r"(?<!\d)\d{1,3}(?:([.,'’٬\s])\d{3})(?:\1\d{3})*(?!\d)|(?<!\d)\d{1,2}(?:,\d{2})+,\d{3}(?!\d)")
_FULL_HOUR = re.compile(r"(?<=\d):00(?!\d)")  # 11:00 is 11 a.m.
_NUMBER = re.compile(r"\d+(?:\.\d+)+|\d{2,}")  # one digit is often written out
_NOT_DIGITS = re.compile(r"\D")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TEENTHS = "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = "one two three four five six seven eight nine"
_UNITHS = "first second third fourth fifth sixth seventh eighth ninth"


def _number_words() -> Iterator[tuple[str, str]]:
    """English number words with their digits."""
    for words in (_TEENS, _TEENTHS):
        yield from ((word, str(number)) for number, word in enumerate(words.split(), 10))
    for place, tens in enumerate(_TENS.split(), 2):
        yield tens, f"{place}0"
        yield f"{tens.removesuffix('y')}ieth", f"{place}0"
        for units in (_UNITS, _UNITHS):
            yield from ((f"{tens}-{unit}", f"{place}{number}") for number, unit in enumerate(units.split(), 1))


def _number_word_pattern() -> str:
    """Any of the number words; tens and units apart, as a list of all their combinations takes five times as long."""
    tens = "|".join(_TENS.split())
    units = "|".join(f"{_UNITS} {_UNITHS}".split())
    others = "|".join(word for word in _NUMBER_WORDS if word not in _TENS.split() and "-" not in word)
    return rf"\b(?:(?:{tens})(?:-(?:{units}))?|{others})\b"


_NUMBER_WORDS = dict(_number_words())
_NUMBER_WORD = re.compile(_number_word_pattern())
_DECIMAL_COMMA = re.compile(r"(?<=\d)[,٫](?=\d)")


@dataclass(frozen=True)
class NumberCounts:
    """The numbers of a text and how often each stands there: in digits, and in English words."""

    digits: Counter[str]
    words: Counter[str]


def number_scores(
    english: Sequence[NumberCounts], others: Sequence[NumberCounts], witnesses: Sequence[Sequence[NumberCounts | None]] = ()
) -> list[float | None]:
    """For each text the share of its numbers that `others` has too, of all that it should have; None where there are none.

    What English writes in digits is looked for, and counts as found in words. `witnesses` are what other languages made of
    the same texts, one sequence a language, None where a language has no such text. With them a number that most of them
    lost (it was written in another way) is not missed, and one that neither the English nor any witness has counts as one
    lost.
    """
    return [
        _kept_share(source, other, [texts[row] for texts in witnesses])
        for row, (source, other) in enumerate(zip(english, others, strict=True))
    ]


def count_numbers(text: str) -> NumberCounts:
    """The numbers of two or more digits in `text`, in ASCII digits, without grouping, with a decimal point.

    English words are known for ten to ninety-nine and tenth to ninety-ninth.
    """
    words = Counter(_NUMBER_WORDS[word] for word in _NUMBER_WORD.findall(text.lower()))
    if not any(map(str.isdecimal, text)):
        return NumberCounts(Counter(), words)
    ascii_digits = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), unicodedata.normalize("NFKC", text))
    plain = _GROUPED.sub(lambda number: _NOT_DIGITS.sub("", number[0]), _FULL_HOUR.sub("", ascii_digits))
    return NumberCounts(Counter(_NUMBER.findall(_DECIMAL_COMMA.sub(".", plain))), words)


def _kept_share(source: NumberCounts, other: NumberCounts, witnesses: list[NumberCounts | None]) -> float | None:
    if source.digits == other.digits:
        return 1.0 if source.digits else None
    present = [witness.digits for witness in witnesses if witness is not None]
    expected = Counter({n: count for n, count in source.digits.items() if seen_by_most([n in digits for digits in present])})
    known = source.digits.keys() | source.words.keys()
    strange = [n for n in other.digits if n not in known and present and seen_by_hardly_any([n in digits for digits in present])]
    if not expected and not strange:
        return None
    return (expected & (other.digits + other.words)).total() / (expected.total() + len(strange))
