from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.checks.numbers import count_numbers, number_scores


def score(english: str, other: str, *witnesses: str | None) -> float | None:
    told = [[None if text is None else count_numbers(text)] for text in witnesses]
    return number_scores([count_numbers(english)], [count_numbers(other)], told)[0]


@pytest.mark.parametrize(
    ("english", "other", "expected"),
    [
        ("It has 4,300 people.", "Es hat 4.300 Einwohner.", 1.0),
        ("It has 4,300 people.", "It has 4300 people.", 1.0),
        ("Built in 1642.", "बना १६४२ में।", 1.0),
        ("Built in 1642.", "بني عام ١٦٤٢.", 1.0),
        ("Built in 1642.", "สร้างในปี ๑๖๔๒", 1.0),
        ("From 1642 to 1742.", "Von 1642 bis 1743.", 0.5),
        ("12 and 12 again.", "12 wieder.", 0.5),
        ("It weighs 2.3 tons.", "Es wiegt 2,3 Tonnen.", 1.0),
        ("It weighs 2.3 tons.", "It weighs 23 tons.", 0.0),
        ("In the 15th century.", "In the fifteenth century.", 1.0),
        ("It took 25 years.", "It took twenty-five years.", 1.0),
        ("It took twenty-five years.", "It took 25 years.", None),
        ("At 11:00 local time.", "At 11 a.m. local time.", 1.0),
        ("About 1,20,000 rupees.", "About 120,000 rupees.", 1.0),
        ("It has 7 rooms.", "Es hat sieben Zimmer.", None),
        ("It is old.", "Es ist 100 Jahre alt.", None),
    ],
)
def test_numbers_without_witnesses(english: str, other: str, expected: float | None) -> None:
    assert score(english, other) == expected


def test_a_number_that_no_language_brought_back_is_not_missed() -> None:
    english = "It can hold 55,000 barrels and 88 men."
    good, bad = "It can hold 55,000 barrels.", "It can hold 5,500 barrels."
    assert score(english, good, good, good, good) == 1.0
    assert score(english, bad, good, good, good) == 0.0
    assert score(english, good) == 0.5
    assert score(english, good, None, None, None) == 0.5


def test_a_number_from_nowhere_counts_only_against_witnesses() -> None:
    assert score("It is old.", "It is 100 years old.", "It is old.", "It is old.", "It is old.") == 0.0
    assert score("It is fifty years old.", "It is 50 years old.", "It is old.", "It is old.", "It is old.") is None


@given(st.lists(st.integers(10, 10**9), max_size=5))
def test_every_number_is_found_in_its_own_text(values: list[int]) -> None:
    text = " and ".join(f"{value:,}" for value in values)
    assert score(text, text.replace(",", ".")) == (1.0 if values else None)


@given(st.text(), st.text(), st.lists(st.text(), min_size=3, max_size=4))
def test_a_score_is_a_share(english: str, other: str, witnesses: list[str]) -> None:
    found = score(english, other, *witnesses)
    assert found is None or 0 <= found <= 1
