"""Which script is a text written in?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

# How Unicode's character names begin, by ISO 15924 code.
_NAMES = {
    "Arab": ("ARABIC",), "Armn": ("ARMENIAN",), "Beng": ("BENGALI",), "Cyrl": ("CYRILLIC",), "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",), "Geor": ("GEORGIAN",), "Grek": ("GREEK",), "Gujr": ("GUJARATI",), "Guru": ("GURMUKHI",),
    "Hang": ("HANGUL",), "Hans": ("CJK", "IDEOGRAPHIC"), "Hant": ("CJK", "IDEOGRAPHIC"), "Hebr": ("HEBREW",),
    "Jpan": ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH"),
    "Khmr": ("KHMER",), "Knda": ("KANNADA",), "Laoo": ("LAO",), "Latn": ("LATIN", "FULLWIDTH"), "Mlym": ("MALAYALAM",),
    "Mtei": ("MEETEI",), "Mymr": ("MYANMAR",), "Olck": ("OL",), "Orya": ("ORIYA",), "Sinh": ("SINHALA",), "Taml": ("TAMIL",),
    "Telu": ("TELUGU",), "Tfng": ("TIFINAGH",), "Thai": ("THAI",), "Tibt": ("TIBETAN",),
}  # fmt: skip
_KANA = ("HIRAGANA", "KATAKANA")

# Unicode has one block for both Chinese scripts; the older character sets have one each.
_CHARACTER_SETS = {"Hans": ("gb2312", "big5"), "Hant": ("big5", "gb2312")}

# A name may begin a text here: what counts is that its letters say nothing about the language.
_LATIN_NAME = re.compile(r"(?<![A-Za-z])[A-Z][A-Za-z0-9'’-]*")
_CODE_POINTS = 0x32000  # what lies above is no letter of a script of the table
_JAPANESE_LETTERS = 8
"""A Japanese text of so many letters has kana among them."""


def script_shares(texts: Sequence[str], script: str) -> list[float | None]:
    """For each text the share of its letters that belong to `script` (an ISO 15924 code); None where it has no letters.

    For a script other than Latin, words of Latin letters with a capital are left out: names are written as they are.
    For Chinese that share is taken times the share of characters of the right script, Simplified or Traditional, among
    those that only one of the two has. A longer Japanese text without kana counts as Chinese.
    """
    if script != "Latn":
        texts = [_LATIN_NAME.sub(" ", text) for text in texts]
    letters, of_script = _count_characters(texts, _all_letters()), _count_characters(texts, _letters_of_scripts(_NAMES[script]))
    shares: NDArray[np.float64] = of_script / np.maximum(letters, 1)
    if script in _CHARACTER_SETS:
        own, other = (
            _count_characters(texts, _characters_only_in(*pair)) for pair in (_CHARACTER_SETS[script], _CHARACTER_SETS[script][::-1])
        )
        shares = np.where(own + other > 0, shares * own / np.maximum(own + other, 1), shares)
    if script == "Jpan":
        shares = np.where((_count_characters(texts, _letters_of_scripts(_KANA)) == 0) & (letters >= _JAPANESE_LETTERS), 0.0, shares)
    return [float(share) if some else None for share, some in zip(shares, letters, strict=True)]


def count_letters(texts: Sequence[str], script: str | None = None) -> NDArray[np.int64]:
    """How many letters each text has, of `script` (an ISO 15924 code) or of any."""
    return _count_characters(texts, _all_letters() if script is None else _letters_of_scripts(_NAMES[script]))


def _count_characters(texts: Sequence[str], table: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many characters of each text `table` names by their code points."""
    if not texts:
        return np.zeros(0, dtype=np.int64)
    joined = "\n".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    total = np.concatenate([[0], np.cumsum(table[np.minimum(codes, _CODE_POINTS - 1)])])
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    counts: NDArray[np.int64] = total[ends] - total[starts]
    return counts


@cache
def _all_letters() -> NDArray[np.bool_]:
    return np.array([chr(code).isalpha() for code in range(_CODE_POINTS)])


@cache
def _letters_of_scripts(names: tuple[str, ...]) -> NDArray[np.bool_]:
    table = np.zeros(_CODE_POINTS, dtype=bool)
    for code in np.flatnonzero(_all_letters()):
        table[code] = unicodedata.name(chr(code), "").split(" ")[0] in names
    return table


@cache
def _characters_only_in(own: str, other: str) -> NDArray[np.bool_]:
    table = np.zeros(_CODE_POINTS, dtype=bool)
    for code in np.flatnonzero(_letters_of_scripts(("CJK",))):
        table[code] = _encodable(chr(code), own) and not _encodable(chr(code), other)
    return table


def _encodable(character: str, character_set: str) -> bool:
    try:
        character.encode(character_set)
    except UnicodeEncodeError:
        return False
    return True
