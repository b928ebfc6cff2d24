"""Punctuation as a script writes it: models trained on normalised text put ASCII marks after Chinese and Arabic words.

The rule: a mark that follows a letter of the script (or a closing bracket or quotation mark after one) becomes the
script's own. Marks inside numbers, addresses and words of other scripts stay.
"""

from __future__ import annotations

import re

from parallel_qa.pipeline.languages import Language

_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ARABIC = "\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff"
_CHINESE_MARKS = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！", ".": "。"}
_ARABIC_MARKS = {",": "،", ";": "؛", "?": "؟"}
_JAPANESE_MARKS = _CHINESE_MARKS | {",": "、"}

_AFTER_HAN = re.compile(rf"(?<=[{_HAN}])([)\]」』”’》]*)([,;:?!]|\.(?!\w))\s*")
_AFTER_ARABIC = re.compile(rf"(?<=[{_ARABIC}])([)\]»”’]*)([,;?])")


def restore(text: str, language: Language) -> str:
    """`text` with the marks that `language`'s script has of its own. Other languages come back as they are."""
    if language.script in ("Hans", "Hant"):
        return _replaced(text, _AFTER_HAN, _CHINESE_MARKS)
    if language.script == "Jpan":
        return _replaced(text, _AFTER_HAN, _JAPANESE_MARKS)
    if language.script == "Arab":
        return _replaced(text, _AFTER_ARABIC, _ARABIC_MARKS)
    return text


def _replaced(text: str, pattern: re.Pattern[str], marks: dict[str, str]) -> str:
    return pattern.sub(lambda match: match[1] + marks[match[2]], text)
