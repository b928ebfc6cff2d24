from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.review.calibrate import GRADED, changed_settings, kept_share, propose_thresholds
from parallel_qa.pipeline.filters.review.samples import ScoredSample, concatenate
from parallel_qa.pipeline.settings import Thresholds

LONG = "A long text. " * 10


def sample(**columns: list[float | None]) -> ScoredSample:
    rows = len(next(iter(columns.values())))
    target = schema.scored("queries")
    filled = {name: [None] * rows for name in target.names} | {"id": ["x"] * rows, "text": ["gut"] * rows, "faults": [0] * rows}
    table = pa.table({name: (filled | columns)[name] for name in target.names}, schema=target)
    return ScoredSample(table, pa.table({"id": ["x"] * rows, "text": [LONG] * rows}, schema=schema.QUERIES))


def test_the_share_that_was_asked_for_is_kept_and_no_more() -> None:
    scores: list[float | None] = [float(score) for score in range(1, 101)]
    proposed = propose_thresholds(sample(chrf=scores, token_sort=scores), Thresholds(), 0.9)
    assert changed_settings(Thresholds(), proposed) == {"min_round_trip": 11.0}
    assert kept_share(sample(chrf=scores, token_sort=scores), proposed) == pytest.approx(0.9)


def test_scores_that_a_run_does_not_have_leave_their_threshold() -> None:
    assert changed_settings(Thresholds(), propose_thresholds(sample(chrf=[None, None], token_sort=[None, None]), Thresholds(), 0.9)) == {}


def test_other_checks_use_up_what_may_be_rejected() -> None:
    scores: list[float | None] = [50.0] * 50 + [90.0] * 50
    proposed = propose_thresholds(sample(chrf=scores, token_sort=scores, language=[0.0] * 10 + [1.0] * 90), Thresholds(), 0.95)
    assert proposed.min_round_trip == 50.0  # the worst stays


def test_rows_that_a_person_found_bad_do_not_count() -> None:
    scores: list[float | None] = [1.0] * 50 + [80.0] * 50
    plain = sample(chrf=scores, token_sort=scores)
    judged = ScoredSample(plain.scored, plain.english, np.array([False] * 50 + [True] * 50))
    assert propose_thresholds(plain, Thresholds(), 0.95).min_round_trip == 1.0
    assert propose_thresholds(judged, Thresholds(), 0.95).min_round_trip == 80.0
    assert len(concatenate([plain, judged]).scored) == 200 and concatenate([plain, judged]).good is not None


def test_nothing_to_learn_from_changes_nothing() -> None:
    plain = sample(chrf=[1.0], token_sort=[1.0])
    assert propose_thresholds(ScoredSample(plain.scored, plain.english, np.array([False])), Thresholds(), 0.95) == Thresholds()


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60), st.floats(0.5, 0.99))
def test_at_least_so_many_are_kept_and_only_graded_settings_move(scores: list[float], keep: float) -> None:
    here = sample(chrf=list(scores), token_sort=list(scores), names=[score / 100 for score in scores])
    proposed = propose_thresholds(here, Thresholds(), keep)
    assert kept_share(here, proposed) >= keep
    assert set(changed_settings(Thresholds(), proposed)) <= set(GRADED)
