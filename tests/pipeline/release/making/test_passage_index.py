from __future__ import annotations

import bm25s
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.release.making.passage_index import PassageIndex
from parallel_qa.pipeline.sources.english_tables import text_id

WORDS = st.sampled_from(["river", "long", "hotel", "rooms", "velu", "orso", "ends", "x", "the", "740"])
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


def shard(texts: list[str]) -> pa.Table:
    columns = {"id": [text_id(text) for text in texts], "title": [""] * len(texts), "text": texts}
    return pa.table(columns, schema=schema.PASSAGES)


def searched(shards: list[list[str]], questions: list[str], most: int) -> list[list[str]]:
    index = PassageIndex(map(shard, shards))
    return [[index.text(passage) for passage in passages] for passages in index.search(questions, most)]


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=15, unique=True), st.lists(TEXTS, min_size=1, max_size=4), st.integers(1, 20))
def test_it_finds_what_bm25_ranks_highest_and_of_equals_the_smallest_ids(texts: list[str], questions: list[str], most: int) -> None:
    ordered = sorted(texts, key=text_id)
    words = bm25s.tokenize(ordered, show_progress=False)
    plain = bm25s.BM25()
    if words.vocab:
        plain.index(words, show_progress=False)
    expected = []
    for question in bm25s.tokenize(questions, return_ids=False, show_progress=False):
        scores = plain.get_scores(question).tolist() if question and words.vocab else [0.0] * len(ordered)
        ranked = sorted(range(len(ordered)), key=lambda passage, scores=scores: (-scores[passage], passage))
        expected.append([ordered[passage] for passage in ranked if scores[passage] > 0][:most])
    assert searched([texts], questions, most) == expected


@settings(max_examples=25)
@given(st.data(), st.lists(TEXTS, min_size=1, max_size=12), st.lists(TEXTS, max_size=3))
def test_neither_order_nor_shards_nor_repeated_passages_change_anything(
    data: st.DataObject, texts: list[str], questions: list[str]
) -> None:
    moved = data.draw(st.permutations([*texts, *texts[:3]]))
    cut = data.draw(st.integers(0, len(moved)))
    assert searched([moved[:cut], moved[cut:]], questions, 5) == searched([texts], questions, 5)


def test_titles_are_searched() -> None:
    passages = pa.table({"id": ["00000000000000ff"], "title": ["Aldo"], "text": ["A river."]}, schema=schema.PASSAGES)
    index = PassageIndex([passages])
    assert list(index.search(["Aldo?", "Velu?"], 1)) == [[0], []]
    assert index.text(0) == "Aldo\nA river."
