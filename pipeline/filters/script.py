"""Is a translation written in its language's script?"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

from pipeline.languages import Language

# How Unicode's character names begin, by ISO 15924 code.
_NAMES = {
    "Arab": ("ARABIC",), "Armn": ("ARMENIAN",), "Beng": ("BENGALI",), "Cyrl": ("CYRILLIC",), "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",), "Geor": ("GEORGIAN",), "Grek": ("GREEK",), "Gujr": ("GUJARATI",), "Guru": ("GURMUKHI",),
    "Hang": ("HANGUL",), "Hans": ("CJK",), "Hant": ("CJK",), "Hebr": ("HEBREW",), "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Khmr": ("KHMER",), "Knda": ("KANNADA",), "Laoo": ("LAO",), "Latn": ("LATIN",), "Mlym": ("MALAYALAM",), "Mtei": ("MEETEI",),
    "Mymr": ("MYANMAR",), "Olck": ("OL",), "Orya": ("ORIYA",), "Sinh": ("SINHALA",), "Taml": ("TAMIL",), "Telu": ("TELUGU",),
    "Tfng": ("TIFINAGH",), "Thai": ("THAI",), "Tibt": ("TIBETAN",),
}  # fmt: skip


# Unicode has one block for both Chinese scripts; the older character sets have one each.
_CHARACTER_SETS = {"Hans": ("gb2312", "big5"), "Hant": ("big5", "gb2312")}


def script_scores(texts: Sequence[str], language: Language) -> list[float | None]:
    """For each text the share of its letters that belong to the script of `language`; None where it has no letters.

    For Chinese that share is taken times the share of characters of the right script, Simplified or Traditional, among
    those that only one of the two has.
    """
    wanted = _NAMES[language.script]
    shares = [_share(text, wanted) for text in texts]
    if language.script not in _CHARACTER_SETS:
        return shares
    return [None if share is None else share * _of_own_kind(text, language.script) for share, text in zip(shares, texts, strict=True)]


def _share(text: str, wanted: tuple[str, ...]) -> float | None:
    scripts = [_script(character) for character in text if character.isalpha()]
    return sum(script in wanted for script in scripts) / len(scripts) if scripts else None


def _of_own_kind(text: str, script: str) -> float:
    own, other = _CHARACTER_SETS[script]
    only_own = sum(_encodable(c, own) and not _encodable(c, other) for c in text if c.isalpha())
    only_other = sum(_encodable(c, other) and not _encodable(c, own) for c in text if c.isalpha())
    return only_own / (only_own + only_other) if only_own + only_other else 1.0


@cache
def _encodable(character: str, character_set: str) -> bool:
    try:
        character.encode(character_set)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split(" ")[0].replace("FULLWIDTH", "LATIN")
