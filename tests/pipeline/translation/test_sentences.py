from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.translation.sentences import join, needs_model, split

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
