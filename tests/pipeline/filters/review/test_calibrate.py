from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.review.calibrate import GRADED, Part, changed_settings, kept_share, propose_thresholds
from parallel_qa.pipeline.filters.review.samples import ScoredSample, concatenate
from parallel_qa.pipeline.settings import FilterSettings, Thresholds
from tests.pipeline.filters.review.scored_run import sample


def judged(good: list[bool], weights: list[float] | None = None, **scores: Sequence[float | None]) -> ScoredSample:
    of_texts = None if weights is None else np.array(weights)
    return replace(sample(**scores), good=np.array(good, dtype=bool), weights=of_texts)


def changes(texts: ScoredSample, keep: float, thresholds: Thresholds = Thresholds()) -> dict[str, Any]:  # noqa: B008
    return changed_settings(thresholds, propose_thresholds([Part(texts)], thresholds, keep))


def kept_of(texts: ScoredSample, thresholds: Thresholds, good: bool) -> list[bool]:
    kept: list[bool] = Part(texts).kept(thresholds)[texts.is_good == good].tolist()
    return kept


def test_the_share_that_was_asked_for_is_kept_and_no_more() -> None:
    scores = [float(score) for score in range(1, 101)]
    texts = sample(chrf=scores, token_sort=scores)
    assert changes(texts, 0.9) == {"min_round_trip": 11.0}
    assert kept_share([Part(texts)], Thresholds(min_round_trip=11.0)) == pytest.approx(0.9)


def test_texts_count_for_as_many_as_they_stand_for() -> None:
    scores = [float(score) for score in range(1, 101)]
    weights = np.array([18.0] * 10 + [1.0] * 90)  # the ten worst are two thirds of the run
    texts = replace(sample(chrf=scores, token_sort=scores), weights=weights)
    assert changes(texts, 0.8) == {"min_round_trip": 4.0}  # three of them are 54 of 270 texts
    assert kept_share([Part(texts)], Thresholds(min_round_trip=4.0)) == pytest.approx(0.8)


def test_scores_that_a_run_does_not_have_leave_their_threshold() -> None:
    assert changes(sample(chrf=[None, None], token_sort=[None, None]), 0.9) == {}


def test_other_checks_use_up_what_may_be_rejected() -> None:
    scores = [50.0] * 50 + [90.0] * 50
    texts = sample(chrf=scores, token_sort=scores, language=[0.0] * 10 + [1.0] * 90)
    assert changes(texts, 0.95)["min_round_trip"] == 50.0  # the worst stays


def test_a_check_that_the_profile_switches_off_stays_off() -> None:
    scores = [float(score) for score in range(1, 101)]
    texts = sample(chrf=scores, token_sort=scores, log_probability=[-score / 10 for score in range(1, 101)])
    assert "min_log_probability" in changes(texts, 0.9)
    assert set(changes(texts, 0.9, FilterSettings(min_log_probability=None))) == {"min_round_trip"}


def test_rows_that_a_person_found_bad_do_not_count() -> None:
    scores = [1.0] * 50 + [80.0] * 50
    texts = judged([False] * 50 + [True] * 50, chrf=scores, token_sort=scores)
    assert changes(sample(chrf=scores, token_sort=scores), 0.95) == {"min_round_trip": 1.0}
    assert changes(texts, 0.95) == {}  # they are told apart as it is
    assert len(concatenate([texts, sample(chrf=[1.0])]).scored) == 101 and concatenate([texts]).good is not None


def test_nothing_to_learn_from_changes_nothing() -> None:
    assert changes(judged([False], chrf=[1.0], token_sort=[1.0]), 0.95) == {}


@pytest.mark.parametrize(
    ("setting", "score", "bad", "good", "limit"),
    [
        ("min_names", "names", 0.6, 0.9, 0.75),
        ("min_repetition", "repetition", 0.8, 1.0, 0.9),
        ("max_copied", "copied", 0.2, 0.1, 0.15),
        ("max_length_ratio", "length_ratio", 1.6, 1.1, 1.35),
        ("min_log_probability", "log_probability", -2.0, -1.0, -1.5),
    ],
)
def test_bad_texts_that_one_check_can_tell_are_rejected_by_it_alone(
    setting: str, score: str, bad: float, good: float, limit: float
) -> None:
    """By names, say: the bad ones have passed all checks, and one threshold in between rejects them and no good one."""
    ones = [70.0] * 50
    texts = judged([False] * 10 + [True] * 40, chrf=ones, token_sort=ones, **{score: [bad] * 10 + [good] * 40})
    assert changes(texts, 0.95) == {setting: pytest.approx(limit, abs=0.0011)}


def test_verdicts_that_contradict_each_other_move_nothing() -> None:
    values = [50.0, 60.0, 70.0, 80.0] * 10
    texts = judged([True] * 20 + [False] * 20, chrf=values, token_sort=values, names=[0.7] * 40)
    assert changes(texts, 0.5) == {}


def test_what_may_be_lost_is_spent_where_it_rejects_most_bad_texts() -> None:
    """Two checks tell some bad texts, each at the price of good ones; only one of the two can be paid for."""
    names = [0.6] * 8 + [1.0] * 12 + [0.6] * 2 + [1.0] * 38
    copied = [0.0] * 8 + [0.2] * 6 + [0.0] * 6 + [0.0] * 2 + [0.2] * 2 + [0.0] * 36
    texts = judged([False] * 20 + [True] * 40, names=names, copied=copied)
    assert list(changes(texts, 0.95)) == ["min_names"]  # 8 of 20 bad ones for 2 of 40 good ones
    assert list(changes(texts, 0.9)) == ["max_copied", "min_names"]
    assert changes(texts, 0.99) == {}


def test_checks_that_reject_good_texts_are_made_milder_and_no_stricter_without_bad_ones() -> None:
    texts = judged([True] * 40, numbers=[0.5] * 10 + [1.0] * 30, names=[0.9] * 40)
    assert changes(texts, 0.95) == {"min_numbers": 0.5}
    assert changes(texts, 0.7) == {}


def test_the_share_to_keep_is_of_those_drawn_at_random() -> None:
    """Good texts that were chosen because a check rejects them say that it errs, not how often."""
    numbers = [0.5] * 20 + [1.0] * 40
    chosen = judged([True] * 60, [0.0] * 20 + [1.0] * 40, numbers=numbers)
    assert changes(chosen, 0.95) == {}
    assert changes(replace(chosen, weights=None), 0.95) == {"min_numbers": 0.5}


def test_what_an_exception_fixes_is_neither_learnt_from_nor_changed() -> None:
    low, high = ([float(score) for score in range(start, start + 50)] for start in (1, 51))
    fixed = Part(sample(chrf=low, token_sort=low), {"min_round_trip": 0.0})
    free = Part(sample(chrf=high, token_sort=high))
    proposed = propose_thresholds([fixed, free], Thresholds(), 0.9)
    assert changed_settings(Thresholds(), proposed) == {"min_round_trip": 61.0}  # ten of a hundred, all of those that are free
    assert fixed.kept(proposed).all()
    assert free.kept(proposed).tolist() == [False] * 10 + [True] * 40


SCORES = st.fixed_dictionaries(
    {
        "chrf": st.one_of(st.none(), st.floats(0, 100, width=32)),
        "names": st.one_of(st.none(), st.floats(0, 1, width=32)),
        "numbers": st.one_of(st.none(), st.floats(0, 1, width=32)),
        "length_ratio": st.floats(0, 3, width=32),
        "chrf_outlier": st.floats(-50, 50, width=32),
        "repetition": st.floats(0, 2, width=32),
    }
)


def columns(rows: list[dict[str, float | None]]) -> dict[str, list[float | None]]:
    result = {name: [row[name] for row in rows] for name in rows[0]}
    return result | {"token_sort": result["chrf"]}


@given(st.lists(SCORES, min_size=1, max_size=60), st.floats(0.5, 0.99))
def test_at_least_so_many_are_kept_and_only_graded_settings_move(rows: list[dict[str, float | None]], keep: float) -> None:
    texts = sample(**columns([{**row, "numbers": 1.0, "repetition": 1.0} for row in rows]))
    proposed = propose_thresholds([Part(texts)], Thresholds(), keep)
    assert kept_share([Part(texts)], proposed) >= keep
    assert set(changed_settings(Thresholds(), proposed)) <= set(GRADED)


@given(
    st.lists(st.tuples(SCORES, st.booleans(), st.sampled_from([0.0, 1.0, 7.5])), min_size=1, max_size=40),
    st.floats(0.5, 0.99),
    st.sampled_from([Thresholds(), Thresholds(min_chrf_outlier=-5.0, min_repetition=0.9)]),
)
def test_whatever_people_say_enough_good_texts_are_kept_and_the_thresholds_can_be_set(
    rows: list[tuple[dict[str, float | None], bool, float]], keep: float, thresholds: Thresholds
) -> None:
    texts = judged([good for _, good, _ in rows], [weight for *_, weight in rows], **columns([row for row, *_ in rows]))
    proposed = propose_thresholds([Part(texts)], thresholds, keep)
    assert kept_share([Part(texts)], proposed) >= keep - 1e-9
    assert Thresholds.model_validate(proposed.model_dump()) == proposed
    if kept_share([Part(texts)], thresholds) >= keep:
        bad_before, bad_after = (sum(kept_of(texts, choice, good=False)) for choice in (thresholds, proposed))
        assert bad_after <= bad_before
    assert proposed == propose_thresholds([Part(texts)], thresholds, keep)


@given(st.data())
def test_bad_texts_that_any_one_check_tells_are_all_rejected(data: st.DataObject) -> None:
    setting, score, low, high = data.draw(
        st.sampled_from([("min_names", "names", 0.57, 1.0), ("min_round_trip", "chrf", 40.0, 99.0), ("max_copied", "copied", 0.0, 0.25)])
    )
    middle = data.draw(st.floats(low + (high - low) * 0.2, high - (high - low) * 0.2))
    gap = (high - low) * 0.05
    below = data.draw(st.lists(st.floats(low, middle - gap), min_size=1, max_size=20))
    above = data.draw(st.lists(st.floats(middle + gap, high), min_size=1, max_size=20))
    good, bad = (below, above) if setting == "max_copied" else (above, below)
    noise = data.draw(st.lists(st.floats(0.6, 1.0), min_size=len(good) + len(bad), max_size=len(good) + len(bad)))
    values = [*good, *bad]
    scores: dict[str, Sequence[float | None]] = {
        "marks": noise,
        score: values,
        "token_sort": values if score == "chrf" else [None] * len(values),
    }
    texts = judged([True] * len(good) + [False] * len(bad), None, **scores)
    proposed = propose_thresholds([Part(texts)], Thresholds(), 0.95)
    assert not any(kept_of(texts, proposed, good=False)) and all(kept_of(texts, proposed, good=True))
    assert list(changed_settings(Thresholds(), proposed)) in ([setting], ["min_marks"])  # the noise may tell them too
