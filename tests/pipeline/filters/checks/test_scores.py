from __future__ import annotations

import math

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.checks.scores import compare, measure
from parallel_qa.pipeline.languages import LANGUAGES

ENGLISH = ["The bridge of Marlo was built in 1642.", "Who built it?"]


def test_every_float_column_is_there_and_none_stays_none() -> None:
    scores = measure(ENGLISH, ["Die Brücke von Marlo wurde 1642 gebaut.", None], [ENGLISH[0], None], LANGUAGES.find("de"))
    assert set(scores) == set(schema.MEASURED.names) - {"faults", "log_probability"}
    assert all(column[1] is None for column in scores.values())
    assert scores["chrf"][0] == 100 and scores["language"][0] == 1 and scores["ending"][0] == 1


def test_without_a_back_translation_only_the_translation_is_judged() -> None:
    scores = measure(ENGLISH, ["Die Brücke.", "Wer?"], [None, None], LANGUAGES.find("de"))
    assert scores["chrf"] == scores["ending"] == scores["length_ratio"] == [None, None]
    assert scores["repetition"] == [1.0, 1.0]


def test_the_language_that_went_wrong_is_seen_beside_three_others() -> None:
    good, bad = [ENGLISH[0]], ["The bridge of Kotturpuram was built in 1742."]
    backs = {"a": good, "b": good, "c": good, "d": bad}
    chrf: dict[str, list[float | None]] = {"a": [90.0], "b": [80.0], "c": [70.0], "d": [20.0]}
    ratio: dict[str, list[float | None]] = {code: [1.0] for code in "abc"} | {"d": [0.5]}
    found = compare(ENGLISH[:1], backs, chrf, ratio)
    assert found["a"] == {"numbers": [1.0], "names": [1.0], "chrf_outlier": [20.0], "length_outlier": [1.0]}
    assert found["d"]["numbers"] == [0.0] and found["d"]["chrf_outlier"] == [-60.0] and found["d"]["length_outlier"] == [0.5]
    assert found["d"]["names"][0] is not None and found["d"]["names"][0] < 0.56
    assert compare(ENGLISH[:1], backs, chrf, ratio, ["d"]) == {"d": found["d"]}


def test_fewer_than_three_others_bear_no_witness() -> None:
    good = [ENGLISH[0]]
    found = compare(good, {"a": good, "b": good, "c": [None]}, {c: [90.0] for c in "abc"}, {c: [1.0] for c in "abc"})
    assert found["a"]["chrf_outlier"] == [None] and found["a"]["numbers"] == [1.0]
    assert found["c"]["numbers"] == [None]


def test_witnesses_are_counted_text_by_text() -> None:
    good: list[str | None] = [ENGLISH[0]]
    nan: list[float | None] = [None]
    backs = {"a": good, "b": good, "c": good, "d": [None]}
    found = compare([ENGLISH[0]], backs, {"a": [90.0], "b": [80.0], "c": [70.0], "d": nan}, dict.fromkeys("abcd", nan))
    assert found["a"]["chrf_outlier"] == [None]
    assert all(score is None or not math.isnan(score) for columns in found.values() for column in columns.values() for score in column)
