"""Are the numbers of the English text still there? Digits of any script and any grouping count as the same number."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.filters.checks.witnesses import mostly, never

_GROUPED = re.compile(r"(?<!\d)\d{1,3}(?:([.,'’٬\s])\d{3})(?:\1\d{3})*(?!\d)|(?<!\d)\d{1,2}(?:,\d{2})+,\d{3}(?!\d)")
_FULL_HOUR = re.compile(r"(?<=\d):00(?!\d)")  # 11:00 is 11 a.m.
_NUMBER = re.compile(r"\d+(?:\.\d+)+|\d{2,}")  # one digit is often written out
_NOT_DIGITS = re.compile(r"\D")
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TEENTHS = "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = "one two three four five six seven eight nine"
_UNITHS = "first second third fourth fifth sixth seventh eighth ninth"


def _words() -> Iterator[tuple[str, str]]:
    """English number words with their digits."""
    for words in (_TEENS, _TEENTHS):
        yield from ((word, str(number)) for number, word in enumerate(words.split(), 10))
    for place, tens in enumerate(_TENS.split(), 2):
        yield tens, f"{place}0"
        yield f"{tens.removesuffix('y')}ieth", f"{place}0"
        for units in (_UNITS, _UNITHS):
            yield from ((f"{tens}-{unit}", f"{place}{number}") for number, unit in enumerate(units.split(), 1))


_WORDS = dict(_words())
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b")
_DECIMAL_COMMA = re.compile(r"(?<=\d)[,٫](?=\d)")


@dataclass(frozen=True)
class Numbers:
    """The numbers of a text and how often each stands there: in digits, and in English words."""

    digits: Counter[str]
    words: Counter[str]


def number_scores(
    english: Sequence[Numbers], others: Sequence[Numbers], witnesses: Sequence[Sequence[Numbers | None]] = ()
) -> list[float | None]:
    """For each text the share of its numbers that `others` has too, of all that it should have; None where there are none.

    What English writes in digits is looked for, and counts as found in words. `witnesses` are what other languages made of
    the same texts, one sequence a language, None where a language has no such text. With them a number that most of them
    lost (it was written in another way) is not missed, and one that neither the English nor any witness has counts as one
    lost.
    """
    return [
        _share(wanted, found, [texts[row] for texts in witnesses]) for row, (wanted, found) in enumerate(zip(english, others, strict=True))
    ]


def numbers(text: str) -> Numbers:
    """The numbers of two or more digits in `text`, in ASCII digits, without grouping, with a decimal point.

    English words are known for ten to ninety-nine and tenth to ninety-ninth.
    """
    words = Counter(_WORDS[word] for word in _WORD.findall(text.lower()))
    if not any(map(str.isdecimal, text)):
        return Numbers(Counter(), words)
    normal = unicodedata.normalize("NFKC", text)
    ascii_digits = normal if normal.isascii() else "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in normal)
    plain = _GROUPED.sub(lambda found: _NOT_DIGITS.sub("", found[0]), _FULL_HOUR.sub("", ascii_digits))
    return Numbers(Counter(_NUMBER.findall(_DECIMAL_COMMA.sub(".", plain))), words)


def _share(wanted: Numbers, found: Numbers, witnesses: list[Numbers | None]) -> float | None:
    if wanted.digits == found.digits:
        return 1.0 if wanted.digits else None
    told = [witness.digits for witness in witnesses if witness is not None]
    expected = Counter({n: count for n, count in wanted.digits.items() if mostly([n in other for other in told])})
    known = wanted.digits.keys() | wanted.words.keys()
    strange = [n for n in found.digits if n not in known and told and never([n in other for other in told])]
    if not expected and not strange:
        return None
    return (expected & (found.digits + found.words)).total() / (expected.total() + len(strange))
