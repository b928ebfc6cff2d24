from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.translation.sentences import clauses, join, needs_model, split

PARTS = ["Dr. Ada", "1.5 km", "Yes!", "No?", "a", ".", "…", "\n", "\n\n", " ", "  ", "\t", "e.g.", "\u3000", "“Oh.”", "é"]
prose = st.lists(st.sampled_from(PARTS))


@given(st.one_of(st.text(), prose.map("".join), prose.map(" ".join)))
def test_splitting_loses_no_character(text: str) -> None:
    segmented = split(text)
    assert join(segmented.sentences, segmented.gaps) == text
    assert all(sentence and sentence == sentence.strip() for sentence in segmented.sentences)
    assert len(segmented.gaps) == len(segmented.sentences) + 1


def test_sentences_of_a_paragraph() -> None:
    segmented = split("Dr. Ada lives here. Since when?\nSince 1642!")
    assert segmented.sentences == ("Dr. Ada lives here.", "Since when?", "Since 1642!")
    assert segmented.gaps == ("", " ", "\n", "")


def test_a_language_without_spaces_gets_none_between_sentences() -> None:
    assert join(["甲。", "乙。", "丙。"], ["", " ", "\n", ""], space="") == "甲。乙。\n丙。"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [("1642", False), ("3.14 %", False), ("", False), ("???", False), ("https://example.org/a?b=c", False), ("a@example.org", False),
     ("See https://example.org", True), ("Salt.", True), ("水", True)],
)  # fmt: skip
def test_only_words_need_a_model(sentence: str, expected: bool) -> None:
    assert needs_model(sentence) is expected


def test_sentences_are_those_of_xquad(xquad: Path) -> None:
    """F1 of sentence starts against the gold breaks of XQuAD-R's 240 English paragraphs."""
    document = json.loads(gzip.decompress((xquad / "en.json.gz").read_bytes()))
    hits = found = wanted = 0
    for paragraph in (p for article in document["data"] for p in article["paragraphs"]):
        context, position, starts = paragraph["context"], 0, set()
        segmented = split(context)
        for gap, sentence in zip(segmented.gaps, segmented.sentences, strict=False):
            position += len(gap)
            starts.add(position)
            position += len(sentence)
        gold = {start for start, _ in paragraph["sentence_breaks"]}
        hits += len((starts & gold) - {0})
        found += len(starts - {0})
        wanted += len(gold - {0})
    assert 2 * hits / (found + wanted) >= 0.97


@given(st.text(st.sampled_from("ab ,;:.，；、"), max_size=80), st.integers(1, 12))
def test_clauses_fit_and_lose_no_character_but_spaces(text: str, room: int) -> None:
    parts = clauses(text, lambda part: len(part) <= room)
    assert all(len(part) <= room for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("The town is old; the river, which is long, is red.", ["The town is old;", "the river, which is long, is red."]),
        ("The river, which is long and red", ["The river,", "which is long and red"]),
        ("城市很老；河流很长，很红。", ["城市很老；", "河流很长，很红。"]),
        ("one two three four five six seven", ["one two three", "four five six seven"]),
    ],
)
def test_clauses_are_cut_at_the_strongest_mark(text: str, parts: list[str]) -> None:
    assert clauses(text, lambda part: len(part) < 0.9 * len(text)) == parts


@pytest.mark.parametrize(
    "text", ["`x = y + 1`", "print(value)", "snake_case_name", "std::vector", "src/main/java", "<br>", "a@b.org", "3.14", "", "…"]
)
def test_code_numbers_and_addresses_need_no_model(text: str) -> None:
    assert not needs_model(text)


@pytest.mark.parametrize("text", ["Call `x` twice.", "and/or is a phrase", "It costs 3 euros.", "He said (quietly) no."])
def test_sentences_that_hold_some_do(text: str) -> None:
    assert needs_model(text)
