from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.translation.sentences import clauses, join, needs_model, split

PARTS = ["Dr. Ada", " .NET", "1.5 km", "Yes!", "No?", "a", ".", "…", "\n", "\n\n", " ", "  ", "\t", "e.g.", "\u3000", "“Oh.”", "é"]
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


@pytest.mark.parametrize(
    ("text", "sentences", "gaps"),
    [
        ("Salt\n\nIt is white.", ("Salt", "It is white."), ("", "\n\n", "")),
        ("red\nblue \n\tgreen\n", ("red", "blue", "green"), ("", "\n", " \n\t", "\n")),
        ("One line\r\nand another", ("One line", "and another"), ("", "\r\n", "")),
        ("第一\n第二。第三", ("第一", "第二。", "第三"), ("", "\n", "", "")),
    ],
)
def test_a_line_break_ends_a_sentence(text: str, sentences: tuple[str, ...], gaps: tuple[str, ...]) -> None:
    segmented = split(text, "zh" if "第" in text else "en")
    assert (segmented.sentences, segmented.gaps) == (sentences, gaps)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("What is .NET?", ("What is .NET?",)),
        (".NET is old. .NET is good.", (".NET is old.", ".NET is good.")),
        ("Is .NET good? .NET is.", ("Is .NET good?", ".NET is.")),
        ("It ends . And goes on .", ("It ends .", "And goes on .")),
        ("A .22 rifle. The .com boom.", ("A .22 rifle.", "The .com boom.")),
    ],
)
def test_a_point_before_a_name_is_its_own(text: str, sentences: tuple[str, ...]) -> None:
    segmented = split(text)
    assert segmented.sentences == sentences
    assert join(segmented.sentences, segmented.gaps) == text


@given(st.text() | prose.map("".join))
def test_no_sentence_has_a_line_break(text: str) -> None:
    assert all(len(sentence.splitlines()) == 1 for sentence in split(text).sentences)


def test_a_language_with_spaces_gets_one_where_the_split_language_has_none() -> None:
    assert join(["A.", "B.", "C."], ["", "", "\n", ""], plain="") == "A. B.\nC."


def test_what_stays_in_ascii_keeps_its_space_in_a_language_without() -> None:
    assert join(["甲。", "2.0.", "3.1 km", "乙"], ["", " ", " ", " ", ""], space="") == "甲。2.0. 3.1 km乙"


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
    "text",
    ["`x = y + 1`", "print(value)", "snake_case_name", "std::vector", "src/main/java", "<br>", "a@b.org", "3.14", "", "…",
     "f(x)", "P(A)", "print(len(x))", "foo.bar(baz)", "getName()", "Point(x=1)", "math.max(a, b)", "src/main.py", "C:/Users/x",
     "C:\\Users\\x", "/usr/local/bin", "~/notes", "../a/b", "https://a.org/b_(c)", "HTTP://A.ORG/B", "ftp://a.org/b", "a.org/b",
     "usr/bin/env", "__init__", "_x", "<int>", "<img src=x>", "<br/>", "<!DOCTYPE html>", "log(n)", "max(MAX, x)", "sleep(1000)"],
)  # fmt: skip
def test_code_numbers_and_addresses_need_no_model(text: str) -> None:
    assert not needs_model(text)


@pytest.mark.parametrize(
    "text",
    ["Call `x` twice.", "and/or is a phrase", "It costs 3 euros.", "He said (quietly) no.", "Yes/No", "male/female", "Paris(France)",
     "and/or", "km/h", "TCP/IP", "he/she (they)", "Yes/No.", "N/A", "file(s)", "a.m./p.m.", "U.S./Canada", "Positive/Negative/Neutral",
     "NATO(North Atlantic Treaty Organization)", "mercury(the planet)", "C(arbon)", "巴黎(法国)", "ртуть(планета)", "是/否",
     "a < b and c > d", "yes/no/maybe", "he/she/it", "history/culture/politics", "child(ren)", "run(ning)", "diabetes(type 2)",
     "king(r. 1642-1660)", "iron(III)", "water(H2O)", "vitamin(A)", "paris(France, Europe)", "_Salt_", "<The Beatles>",
     "<music playing>", "etc./more"],
)  # fmt: skip
def test_words_with_a_slash_or_brackets_are_language(text: str) -> None:
    assert needs_model(text)


@pytest.mark.parametrize("part", ["a", "a/", " .A", "a@", "a.", "f(", "f(x ", "a.b.", "_", "<a ", "(a)", "`", "/"])
def test_hostile_sentences_take_no_longer_than_others(part: str) -> None:
    began = time.process_time()
    split(part * 10_000)
    needs_model(part * 50_000)
    assert time.process_time() - began < 3
