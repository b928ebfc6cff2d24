from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.checks.names import FoldedText, common_words, name_scores

ENGLISH = "Yesterday Vidal joined Barcelona from Sevilla."


def score(english: str, other: str, *witnesses: str | None, common: frozenset[str] = frozenset()) -> float | None:
    told = [[None if text is None else FoldedText(text)] for text in witnesses]
    return name_scores([FoldedText(english)], [FoldedText(other)], told, common)[0]


def test_names_are_words_with_a_capital_inside_a_sentence() -> None:
    assert FoldedText('Then Marlo said: "The Erkoç of AI are here." Nobody came to Ilmara').names == ["marlo", "erkoc", "ilmara"]


def test_a_name_that_is_there_or_written_otherwise_is_no_fault() -> None:
    assert score(ENGLISH, "Yesterday Vidal joined Barcelona from Sevilla.") == 1.0
    assert (score(ENGLISH, "Yesterday Vidal joined Barça from Sevilla.") or 0) > 0.8
    assert score("The river is long.", "The Danube is long.") is None


def test_a_name_in_the_place_of_another_is() -> None:
    swapped = score(ENGLISH, "Yesterday Vidal joined Barcelona from Kotturpuram.")
    assert swapped is not None and swapped < 0.56


def test_a_name_that_is_left_out_is_another_matter() -> None:
    assert score(ENGLISH, "Yesterday he joined them.") == 1.0


def test_what_most_languages_lost_is_not_missed() -> None:
    other = "Yesterday Vidal joined Barcelona from Kotturpuram."
    assert score(ENGLISH, other, "Vidal joined Barcelona.", "Vidal joined Barcelona.", "He joined Barcelona.") == 1.0
    assert (score(ENGLISH, other, ENGLISH, ENGLISH, ENGLISH) or 0) < 0.56


def test_what_another_language_has_did_not_come_from_nowhere() -> None:
    assert score(ENGLISH, "Then Vidal joined Barcelona from Andalusia.", ENGLISH, ENGLISH, "He came from Andalusia.") == 1.0


def test_a_common_word_is_no_name() -> None:
    english, other = "She went to Queens College.", "She went to Queens Faculty."
    assert (score(english, other) or 0) < 0.56
    assert score(english, other, common=common_words(["a college here"])) == 1.0


@given(st.text(alphabet=st.characters(categories=["L", "P", "Zs"])))
def test_a_text_keeps_its_own_names(text: str) -> None:
    assert score(text, text) in (1.0, None)


@given(st.text(), st.text(), st.lists(st.text(), min_size=3, max_size=4))
def test_any_text_has_a_score(english: str, other: str, witnesses: list[str]) -> None:
    found = score(english, other, *witnesses)
    assert found is None or 0 <= found <= 1
