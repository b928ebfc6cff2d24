"""The round trip: what came back into English against what was sent out."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, utils
from sacrebleu.metrics.chrf import CHRF

from parallel_qa.pipeline.filters.checks.ngram_matches import ngram_matches

_CHRF = CHRF()


def chrf_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float]:
    """chrF, 0 to 100, of each back-translation against its English text (Popović 2015, as sacrebleu computes it)."""
    return [_chrf(text, back) for text, back in zip(english, back_translations, strict=True)]


def token_sort_scores(english: Sequence[str], back_translations: Sequence[str]) -> list[float]:
    """How alike, 0 to 100, each back-translation and its English text are with their words sorted (rapidfuzz).

    It sees whole words where chrF sees characters, and does not mind their order.
    """
    return [
        fuzz.token_sort_ratio(text, back, processor=utils.default_process) for text, back in zip(english, back_translations, strict=True)
    ]


def _chrf(text: str, back: str) -> float:
    matches = ngram_matches(back, text, _CHRF.char_order)
    # sacrebleu's own formula, so that scores are the same to the last bit; its counting is most of what scoring a text would cost.
    score: float = _CHRF.sentence_score(back, [text]).score if matches is None else _CHRF._compute_f_score(matches)
    return score
