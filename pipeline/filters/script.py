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


def script_scores(texts: Sequence[str], language: Language) -> list[float | None]:
    """For each text the share of its letters that belong to the script of `language`; None where it has no letters."""
    wanted = _NAMES[language.script]
    return [_share(text, wanted) for text in texts]


def _share(text: str, wanted: tuple[str, ...]) -> float | None:
    scripts = [_script(character) for character in text if character.isalpha()]
    return sum(script in wanted for script in scripts) / len(scripts) if scripts else None


@cache
def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split(" ")[0].replace("FULLWIDTH", "LATIN")
