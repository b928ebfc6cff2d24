from __future__ import annotations

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome
from tests.project import Project, article

PASSAGE = "Salt is mined in the north. It is white."


def test_texts_are_stored_once_and_pairs_point_at_them(project: Project, store: Store) -> None:
    project.source(
        "questions",
        [
            article(PASSAGE, ("What is mined?", "Salt"), ("Where is salt mined?", "in the north"), title="Salt"),
            article("Tea grows in the south.", ("What is mined?", "nothing"), ("Where does tea grow?", "in the south"), title="Tea"),
        ],
    )
    settings = project.settings()
    assert prepare(settings, store) == Outcome(done=1)
    record = units(settings)[0].result(store)
    queries, passages, pairs = (store.read_tables(record, table) for table in ("queries", "passages", "pairs"))
    assert queries["text"].to_pylist() == ["What is mined?", "Where is salt mined?", "Where does tea grow?"]
    assert passages["title"].to_pylist() == ["Salt", "Tea"]
    assert list(zip(pairs["query_row"].to_pylist(), pairs["passage_row"].to_pylist(), strict=True)) == [(0, 0), (1, 0), (0, 1), (2, 1)]
    assert pairs["answer"].to_pylist() == ["Salt", "in the north", "nothing", "in the south"]
    assert record.facts["rows"] == {"read": 4, "kept": 4, "rejected": {}}


def test_every_row_that_is_not_kept_is_set_aside_with_its_reason(project: Project, store: Store) -> None:
    project.source("known", [article("An evaluation passage stands here.", ("Is this an evaluation question?", "yes"))])
    project.source(
        "questions",
        [
            article(PASSAGE, ("What is mined?", "Salt"), ("<b>What is mined?</b>", "Salt"), ("12", "x"), ("", "x")),
            article("", ("What is empty?", "this")),
            article("AN EVALUATION PASSAGE: stands here!", ("What stands here?", "it")),
            article("Something else.", ("is this an evaluation question", "yes")),
            article("x" * 101 + " is long.", ("What is long?", "x")),
        ],
    )
    settings = project.settings(evaluation=["./known.md"], cleaning={"max_characters": 100})
    prepare(settings, store)
    record = units(settings)[0].result(store)
    reasons = {
        "duplicate": 1,
        "empty_passage": 1,
        "empty_query": 1,
        "evaluation_passage": 1,
        "evaluation_query": 1,
        "passage_too_long": 1,
        "query_without_words": 1,
    }
    assert record.facts["rows"] == {"read": 8, "kept": 1, "rejected": reasons}
    rejected = store.read_tables(record, "rejected").to_pylist()
    assert len(rejected) == 7
    duplicate = next(row for row in rejected if row["reason"] == "duplicate")
    at = "questions.json#data.0.paragraphs.0.qas."
    assert (duplicate["position"], duplicate["detail"]) == (f"{at}1", f"the same as {at}0")
    known = next(row for row in rejected if row["reason"] == "evaluation_query")
    assert known["detail"].startswith("known ") and known["detail"].endswith(", share 1.00")
    assert record.facts["cleaned"] == {"html": 1}
    [checked] = record.facts["evaluation"]["sets"]
    assert (checked["name"], checked["queries"], checked["passages"]) == ("known", 1, 1)
    assert record.facts["evaluation"]["rows_set_aside"] == {"evaluation_passage": 1, "evaluation_query": 1}


def test_only_a_change_of_content_makes_work(project: Project, store: Store) -> None:
    project.source("questions", [article(PASSAGE, ("What is mined?", "Salt"))])
    assert prepare(project.settings(), store) == Outcome(done=1)
    assert prepare(project.settings(languages=["fr"]), store) == Outcome(skipped=1)
    assert prepare(project.settings(cleaning={"min_letters": 4}), store) == Outcome(done=1)
    assert prepare(project.settings(), store) == Outcome(skipped=1)
    project.source("questions", [article(PASSAGE, ("What is mined here?", "Salt"))])
    assert prepare(project.settings(), store) == Outcome(done=1)


def test_two_sources_of_one_name_are_refused(project: Project) -> None:
    project.source("questions", [article(PASSAGE, ("What is mined?", "Salt"))])
    project.source("again", [article(PASSAGE, ("What is white?", "It"))], name="questions")
    with pytest.raises(UserError, match=r"questions\.md and .*again\.md are both named 'questions': rename one"):
        units(project.settings(sources=["./questions.md", "./again.md"]))


def test_texts_go_into_shards_of_the_size_asked_for(project: Project, store: Store) -> None:
    project.source("questions", [article(f"Passage number {word}.", (f"Which is {word}?", word)) for word in ("one", "two", "six")])
    settings = project.settings(cleaning={"shard_rows": 2})
    prepare(settings, store)
    record = units(settings)[0].result(store)
    assert [record.files[name].rows for name in record.shards("passages")] == [2, 1]
    assert store.read_tables(record, "passages")["text"].to_pylist() == [f"Passage number {word}." for word in ("one", "two", "six")]
