from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.card import Excerpt, RowMapping
from parallel_qa.pipeline.sources.mapping import MAX_GROUP, SQUAD, Mapper, Raw, columns, excerpt
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside


def mapped(mapping: dict[str, object], *rows: dict[str, object]) -> list[Pair | SetAside]:
    return list(Mapper(RowMapping.model_validate(mapping)).rows(Raw(f"f#{n}", row) for n, row in enumerate(rows)))


PLAIN = {"query": "question", "passage": "context"}


def test_columns_are_taken_by_path() -> None:
    row = {"meta": {"id": 7}, "q": None, "question": "Who?", "context": ["no", "Ada."], "answers": {"text": ["Ada", "A"]}, "t": None}
    mapping = {"id": "meta.id", "query": "q || question", "passage": "context[-1]", "answer": "answers.text", "title": "t"}
    assert mapped(mapping, row) == [Pair("f#0", "7", "Who?", "Ada.", "", "Ada")]


def test_lists_explode_one_inside_the_other() -> None:
    row = {"title": "T", "parts": [{"text": "One.", "qs": ["A?", "B?"]}, {"text": "Two.", "qs": ["C?"]}]}
    mapping = {"explode": {"part": "parts", "q": "part.qs"}, "query": "q", "passage": "part.text", "title": "title"}
    assert [(row.position, row.query, row.passage, row.title) for row in mapped(mapping, row) if isinstance(row, Pair)] == [
        ("f#0.parts.0.qs.0", "A?", "One.", "T"),
        ("f#0.parts.0.qs.1", "B?", "One.", "T"),
        ("f#0.parts.1.qs.0", "C?", "Two.", "T"),
    ]


def test_a_sequence_of_mappings_as_datasets_hands_it_out_explodes_too() -> None:
    row = {"question": "Q?", "passages": {"docid": ["1", "2"], "text": ["One.", "Two."]}}
    mapping = {"explode": {"p": "passages"}, "query": "question", "passage": "p.text", "id": "p.docid"}
    assert [(row.source_id, row.passage) for row in mapped(mapping, row) if isinstance(row, Pair)] == [("1", "One."), ("2", "Two.")]


def test_an_empty_list_leaves_one_row_that_is_set_aside() -> None:
    assert mapped({"explode": {"p": "ps"}, "query": "q", "passage": "p.text"}, {"q": "Q?", "ps": []}) == [
        SetAside("f#0.ps.0", "f#0.ps.0", "no_passage", "Q?", None)
    ]


def test_rows_of_one_key_form_a_group() -> None:
    rows = [{"k": k, "q": f"{k}?", "a": a, "label": label} for k, a, label in [("x", "1", 0), ("x", "2", 1), ("y", "3", 0), ("z", "4", 1)]]
    mapping = {
        "group": "k",
        "explode": {"good": "rows[?to_string(label) == '1']"},
        "query": "q",
        "passage": "good.a",
        "negatives": "rows[?to_string(label) == '0'].a",
    }
    assert mapped(mapping, *rows) == [
        Pair("f#0.good.0", "f#0.good.0", "x?", "2", "", "", (Passage("", "1"),)),
        SetAside("f#2.good.0", "f#2.good.0", "no_passage", "y?", None),
        Pair("f#3.good.0", "f#3.good.0", "z?", "4"),
    ]


def test_a_group_has_a_largest_size() -> None:
    rows = [{"k": "same", "q": "Q?", "p": str(n)} for n in range(MAX_GROUP + 5)]
    mapping = {"group": "k", "query": "q", "passage": "join(' ', rows[].p)"}
    assert [len(row.passage.split()) for row in mapped(mapping, *rows) if isinstance(row, Pair)] == [MAX_GROUP, 5]


def test_what_does_not_hold_is_the_reason() -> None:
    mapping = {**PLAIN, "keep": {"no_answer": "!missing", "too_old": "year > `2000`"}}
    rows = [{"question": "Q?", "context": "C.", "missing": m, "year": y} for m, y in [(True, 2020), (False, 1990), (False, 2020)]]
    assert [getattr(row, "reason", None) for row in mapped(mapping, *rows)] == ["no_answer", "too_old", None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"context": "C."}, "no_query"),
        ({"question": "Q?"}, "no_passage"),
        ({"question": 7, "context": "C."}, "malformed"),
        ({"question": "Q?", "context": ["C."]}, "malformed"),
        ({"question": "Q?", "context": "C.", "others": [3]}, "malformed"),
        ({"question": "Q?", "context": "C.", "others": "o", "n": None}, "malformed"),
    ],
)
def test_a_row_of_another_form_is_set_aside(row: dict[str, object], reason: str) -> None:
    mapping = {**PLAIN, "negatives": "others"}
    if "n" in row:
        mapping["keep"] = {"large": "length(n) > `1`"}
    [result] = mapped(mapping, row)
    assert isinstance(result, SetAside)
    assert (result.position, result.reason) == ("f#0", reason)


def test_negatives_are_texts_or_mappings() -> None:
    mapping = {**PLAIN, "negatives": "others"}
    others = ["One.", {"title": "T", "text": "Two."}, {"text": "Three.", "docid": 4}, None, "One."]
    [pair] = mapped(mapping, {"question": "Q?", "context": "C.", "others": others})
    assert isinstance(pair, Pair)
    assert pair.negatives == (Passage("", "One."), Passage("T", "Two."), Passage("", "Three."))


def test_squad() -> None:
    qas = [
        {"id": "a", "question": "No answer?", "answers": []},
        {"id": "b", "question": 7, "answers": [{"text": "x"}]},
        "not a question",
        {"id": "d", "question": "Good?", "answers": [{"text": "Text", "answer_start": 0}]},
    ]
    rows = list(Mapper(SQUAD).rows([Raw("f#data.0", {"title": "A_title", "paragraphs": [{"context": "Text.", "qas": qas}]})]))
    at = "f#data.0.paragraphs.0.qas."
    assert rows == [
        SetAside(f"{at}0", "a", "no_answer", "No answer?", "Text."),
        SetAside(f"{at}1", "b", "malformed"),
        SetAside(f"{at}2", f"{at}2", "no_query", None, "Text."),
        Pair(f"{at}3", "d", "Good?", "Text.", "A_title", "Text"),
    ]


STORY = "The town is old. It has a red bridge. The bridge was built by Ada Lum. " + "Nobody knows more about it than that. " * 8


def test_an_excerpt_is_the_part_that_holds_an_answer() -> None:
    wanted = Excerpt(words=20, answers="answers")
    assert excerpt(STORY, ["ada lum"], wanted) == "The town is old. It has a red bridge. The bridge was built by Ada Lum."
    assert excerpt(STORY, ["nowhere"], wanted) is None
    assert excerpt(STORY, [None, " "], wanted) is None
    mapping = {**PLAIN, "excerpt": {"words": 20, "answers": "answers"}}
    missing, found = mapped(mapping, *({"question": "Q?", "context": STORY, "answers": [answer]} for answer in ("nowhere", "red bridge")))
    assert isinstance(missing, SetAside) and missing.reason == "answer_not_in_passage"
    assert isinstance(found, Pair) and len(found.passage.split()) <= 20


@given(st.text(min_size=1, max_size=600), st.integers(20, 60))
def test_an_excerpt_is_part_of_the_text_and_holds_the_answer(text: str, words: int) -> None:
    for answer in text.split()[:3]:
        part = excerpt(text, [answer], Excerpt(words=words, answers="a"))
        assert part is None or (part in text and answer.casefold() in part.casefold())


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_no_json_value_stops_the_mapping(value: object) -> None:
    mapping = {
        **PLAIN,
        "explode": {"x": "items"},
        "title": "x.title",
        "negatives": "x.others",
        "keep": {"why": "x.why > `1`"},
        "id": "x.id",
    }
    for name in ("items", "question", "context"):
        rows = mapped(mapping, {"question": "Q?", "context": "C.", "items": [{"title": "t"}], name: value})
        assert rows
    json.dumps([row.position for row in rows])


def test_the_columns_that_an_expression_needs() -> None:
    assert columns(["answers.text[0]", "query || question", "rows[?to_string(label) == '1'].a"]) >= {"answers", "query", "question", "rows"}
    assert Mapper(RowMapping.model_validate({**PLAIN, "excerpt": {"words": 30, "answers": "gold"}})).columns == {
        "question",
        "context",
        "gold",
    }
