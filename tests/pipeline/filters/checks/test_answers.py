from __future__ import annotations

import pytest

from parallel_qa.pipeline.filters.checks.answers import answer_scores

PASSAGE = "The bridge of Marlo was built in 1642 by Anna Feld."


def test_each_answer_is_looked_for_by_itself() -> None:
    back = "Marlo's bridge was built in 1642 by Hannah Field."
    [[year, name], [lost]] = answer_scores([["1642", "Anna Feld"], ["1642"]], [PASSAGE] * 2, [back, "It is old."])
    assert year == 100
    assert name == pytest.approx(85, abs=15) and name < 100
    assert lost is not None and lost < 50


def test_what_is_not_in_the_english_passage_is_not_looked_for() -> None:
    assert answer_scores([["yes", "1642"], [], [""]], [PASSAGE] * 3, [PASSAGE] * 3) == [[None, 100.0], [], [None]]


def test_an_empty_back_translation_has_lost_it_and_one_that_was_not_made_says_nothing() -> None:
    assert answer_scores([["1642"], ["1642"]], [PASSAGE] * 2, ["", None]) == [[0.0], [None]]
