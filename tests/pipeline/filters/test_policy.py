from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.policy import REASONS, all_reasons, lost_answers, reasons, rejections
from parallel_qa.pipeline.settings import FilterSettings
from parallel_qa.pipeline.tally import Tally

SHORT, LONG = "A short text.", "A long text. " * 10


def scored(*rows: tuple[str, float | None, float | None, int]) -> pa.Table:
    names = ("text", "language", "chrf", "faults")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns["token_sort"] = columns["chrf"]
    filled = {"id": ["x"] * len(rows), "back_translation": [""] * len(rows), **columns}
    filled |= {name: [None] * len(rows) for name in schema.SCORES.names if name not in filled}
    target = schema.scored("queries")
    return pa.table({name: list(filled[name]) for name in target.names}, schema=target)


def english(*texts: str) -> pa.Table:
    return pa.table({"id": ["x"] * len(texts), "text": texts}, schema=schema.QUERIES)


def test_each_reason_and_its_order() -> None:
    bad_everywhere = ("good", 0, 20, 1)
    table = scored(
        ("gut", 1, 90, 0), ("", 1, 90, 0), ("gut", 1, 90, 1), ("good", 0, 90, 0), ("gut", 1, 20, 0), bad_everywhere, ("12", None, None, 0)
    )  # fmt: skip
    assert reasons(table, english(*[LONG] * 7), FilterSettings()) == [
        None, "empty", "translation_fault", "language", "round_trip", "translation_fault", None
    ]  # fmt: skip


def test_short_texts_have_a_threshold_of_their_own() -> None:
    table = scored(("gut", 1, 27, 0), ("gut", 1, 27, 0))
    assert reasons(table, english(SHORT, LONG), FilterSettings(min_round_trip=30, min_round_trip_short=25)) == [None, "round_trip"]


def test_a_check_that_is_off_rejects_nothing() -> None:
    assert reasons(scored(("good", 0, 90, 0)), english(LONG), FilterSettings(language=False)) == [None]


score = st.one_of(st.none(), st.floats(0, 100, width=32))
row = st.tuples(st.sampled_from(["", " ", "gut"]), st.sampled_from([None, 0.0, 1.0]), score, st.integers(0, 2))


@given(st.lists(row, min_size=1, max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_a_stricter_threshold_never_keeps_more_and_nothing_vanishes(
    rows: list[tuple[str, float | None, float | None, int]], first: float, second: float
) -> None:
    table, source = scored(*rows), english(*[LONG] * len(rows))
    loose, strict = sorted((first, second))
    tallies = [Tally.of(reasons(table, source, FilterSettings(min_chrf=value))) for value in (loose, strict)]
    assert all(tally.read == len(rows) == tally.kept + tally.rejected.total() for tally in tallies)
    assert tallies[1].kept <= tallies[0].kept


@pytest.mark.parametrize(
    ("score", "bad", "good", "reason"),
    [
        ("script", 0.4, 0.6, "script"),
        ("copied", 0.26, 0.25, "copied"),
        ("untranslated", 0.16, 0.15, "untranslated"),
        ("repetition", 0.7, 0.8, "repetition"),
        ("marks", 0.5, 0.75, "marks"),
        ("ending", 0.0, 1.0, "ending"),
        ("sentences", 0.25, 0.34, "sentences"),
        ("numbers", 0.5, 1.0, "numbers"),
        ("names", 0.5, 0.6, "names"),
        ("length_ratio", 0.4, 0.6, "length"),
        ("length_ratio", 1.9, 1.7, "length"),
        ("length_outlier", 0.5, 0.7, "outlier"),
        ("length_outlier", 1.9, 1.7, "outlier"),
    ],
)
def test_each_threshold_rejects_what_is_beyond_it(score: str, bad: float, good: float, reason: str) -> None:
    table = scored(("gut", 1, 90, 0), ("gut", 1, 90, 0), ("gut", 1, 90, 0))
    table = table.set_column(table.schema.get_field_index(score), score, pa.array([bad, good, None], pa.float32()))
    assert reasons(table, english(LONG, LONG, LONG), FilterSettings()) == [reason, None, None]
    if score.startswith("length"):
        assert reasons(table, english(SHORT, SHORT, SHORT), FilterSettings()) == [None, None, None]


def test_an_answer_is_lost_below_the_threshold() -> None:
    scores = np.array([49.9, 50.0, np.nan], np.float32)
    assert lost_answers(scores, FilterSettings()).tolist() == [True, False, False]
    assert lost_answers(scores, FilterSettings(min_answers=None)).tolist() == [False, False, False]


def test_all_reasons_are_told() -> None:
    table = scored(("good", 0, 20, 1), ("gut", 1, 90, 0))
    rejected = rejections(table, english(LONG, LONG), FilterSettings())
    assert tuple(rejected) == REASONS
    assert all_reasons(rejected, [0, 1]) == [["translation_fault", "language", "round_trip"], []]


def test_a_text_that_the_source_lacks_is_missing_and_not_empty() -> None:
    table = scored((None, None, None, 0), (" ", None, None, 0))
    assert reasons(table, english(LONG, LONG), FilterSettings()) == ["missing", "empty"]


def test_a_threshold_of_null_is_off() -> None:
    table = scored(("gut", 1, 90, 0)).set_column(5, "untranslated", pa.array([1.0], pa.float32()))
    assert table.column_names[5] == "untranslated"
    assert reasons(table, english(LONG), FilterSettings()) == ["untranslated"]
    assert reasons(table, english(LONG), FilterSettings(max_untranslated=None)) == [None]
