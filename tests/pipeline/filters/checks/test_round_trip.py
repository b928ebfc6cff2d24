from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores


def test_the_score_is_sacrebleus_chrf() -> None:
    scores = chrf_scores(["The town was founded in 1642."] * 3, ["The town was founded in 1642.", "The town was built in 1642.", ""])
    assert scores[0] == pytest.approx(100)
    assert scores[1] == pytest.approx(56.63, abs=0.01)
    assert scores[2] == 0


def test_real_back_translations_are_told_from_shuffled_ones(flores: Path) -> None:
    english, back = (gzip.decompress((flores / name).read_bytes()).decode().splitlines() for name in ("source.en.gz", "nllb.th-en.en.gz"))
    good = chrf_scores(english, back)
    shuffled = chrf_scores(english, back[500:] + back[:500])  # far apart: neighbours are of one article
    assert sum(score < 30 for score in good) / len(good) <= 0.03
    assert sum(score >= 30 for score in shuffled) / len(shuffled) <= 0.01
