from __future__ import annotations

import pytest

from parallel_qa.pipeline.filters.checks.answers import answer_scores

PASSAGE = "The bridge of Marlo was built in 1642 by Anna Feld."


def test_the_worst_kept_answer_counts() -> None:
    back = "Marlo's bridge was built in 1642 by Hannah Field."
    kept, changed, lost = answer_scores([["1642"], ["1642", "Anna Feld"], ["1642"]], [PASSAGE] * 3, [back, back, "It is old."])
    assert kept == 100
    assert changed == pytest.approx(85, abs=15) and changed < 100
    assert lost is not None and lost < 50


def test_what_is_not_in_the_english_passage_is_not_looked_for() -> None:
    assert answer_scores([["yes"], [], [""]], [PASSAGE] * 3, [PASSAGE] * 3) == [None, None, None]


def test_an_empty_back_translation_has_lost_it() -> None:
    assert answer_scores([["1642"]], [PASSAGE], [""]) == [0.0]
