from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores


def test_the_score_is_sacrebleus_chrf() -> None:
    scores = chrf_scores(["The town was founded in 1642."] * 3, ["The town was founded in 1642.", "The town was built in 1642.", ""])
    assert scores[0] == pytest.approx(100)
    assert scores[1] == pytest.approx(56.63, abs=0.01)
    assert scores[2] == 0


def sacrebleus(english: str, back: str) -> float:
    return CHRF().sentence_score(back, [english]).score


@given(st.text(), st.text())
def test_any_two_texts_have_the_score_that_sacrebleu_gives(english: str, back: str) -> None:
    assert chrf_scores([english], [back]) == [sacrebleus(english, back)]


@given(st.text("ab c", max_size=40), st.text("ab c", max_size=40))
def test_runs_that_are_repeated_count_as_sacrebleu_counts_them(english: str, back: str) -> None:
    assert chrf_scores([english], [back]) == [sacrebleus(english, back)]


@pytest.mark.parametrize("characters", [1023, 1024, 1025])
def test_texts_of_very_many_characters_are_scored_as_well(characters: int) -> None:
    english = "".join(chr(0x4E00 + number) for number in range(characters))
    back = english[: characters // 2] + english[characters // 3 :]
    assert chrf_scores([english], [back]) == [sacrebleus(english, back)]


def test_real_back_translations_are_told_from_shuffled_ones(flores: Path) -> None:
    english, back = (gzip.decompress((flores / name).read_bytes()).decode().splitlines() for name in ("source.en.gz", "nllb.th-en.en.gz"))
    good = chrf_scores(english, back)
    assert good == [sacrebleus(*pair) for pair in zip(english, back, strict=True)]
    shuffled = chrf_scores(english, back[500:] + back[:500])  # far apart: neighbours are of one article
    assert sum(score < 30 for score in good) / len(good) <= 0.03
    assert sum(score >= 30 for score in shuffled) / len(shuffled) <= 0.01
