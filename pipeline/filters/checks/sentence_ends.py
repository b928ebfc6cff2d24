"""Did every sentence come back, and is the last one whole?"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?=\s|$)")
_TEXT_END = re.compile(r"[.!?…。！？:;)\]][\"'”’»)\]\s]*$")


def sentence_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float | None]:
    """For each text the number of sentences that came back by the number sent out, or the other way round, at most 1.

    Sentences are counted by the marks that end them; a text without any is one. None where the English text has no mark.
    """
    return [
        _ratio_of_counts(len(_SENTENCE_END.findall(text)), len(_SENTENCE_END.findall(back)))
        for text, back in zip(english, back_translations, strict=True)
    ]


def ending_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float | None]:
    """For each text 1 if it came back with a mark at its end, else 0: it was cut; None where the English has none there."""
    return [
        float(bool(_TEXT_END.search(back))) if _TEXT_END.search(text) else None
        for text, back in zip(english, back_translations, strict=True)
    ]


def _ratio_of_counts(sent: int, came_back: int) -> float | None:
    return min(sent, came_back or 1) / max(sent, came_back) if sent else None
