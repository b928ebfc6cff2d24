"""The round trip: what came back into English against what was sent out."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, utils
from sacrebleu.metrics.chrf import CHRF

_CHRF = CHRF()


def chrf_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float]:
    """chrF, 0 to 100, of each back-translation against its English text (Popović 2015, as sacrebleu computes it)."""
    return [_CHRF.sentence_score(back, [text]).score for text, back in zip(english, back_translations, strict=True)]


def token_sort_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float]:
    """How alike, 0 to 100, each back-translation and its English text are with their words sorted (rapidfuzz).

    It sees whole words where chrF sees characters, and does not mind their order.
    """
    return [
        fuzz.token_sort_ratio(text, back, processor=utils.default_process) for text, back in zip(english, back_translations, strict=True)
    ]
