"""Are the numbers of the English text still there? Digits of any script and any grouping count as the same number."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_GROUPING = re.compile(r"(?<=\d)[.,'’٫٬\s](?=\d)")
_NUMBER = re.compile(r"\d{2,}")  # one digit is often written out


def number_scores(english: Sequence[str], others: Sequence[str]) -> list[float | None]:
    """For each text the share of its numbers of two or more digits that `others` has too; None where it has no number."""
    return [_share(numbers(text), numbers(other)) for text, other in zip(english, others, strict=True)]


def numbers(text: str) -> Counter[str]:
    """The numbers of two or more digits in `text`, in ASCII digits and without separators."""
    normal = unicodedata.normalize("NFKC", text)
    ascii_digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in normal)
    return Counter(_NUMBER.findall(_GROUPING.sub("", ascii_digits)))


def _share(wanted: Counter[str], found: Counter[str]) -> float | None:
    return (wanted & found).total() / wanted.total() if wanted else None
