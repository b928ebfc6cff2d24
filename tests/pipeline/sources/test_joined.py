from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.sources.card import load_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.evaluation import evaluation_of
from parallel_qa.pipeline.sources.joined import read_texts
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside
from tests.project import Project


def lines(path: Path, *rows: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def beir(folder: Path, split: str = "test") -> None:
    lines(
        folder / "queries.jsonl",
        {"_id": "q1", "text": "What is mined?"},
        {"_id": "q2", "text": "What is sold?"},
        {"_id": "q3", "text": "Who?"},
    )
    lines(
        folder / "corpus.jsonl.gz",
        {"_id": "d1", "title": "Salt", "text": "Salt is mined."},
        {"_id": "d2", "title": "", "text": "Tea grows."},
    )
    (folder / "qrels").mkdir()
    (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\nq2\td9\t1\nq1\td1\t1\n")


def test_a_beir_folder_is_read_by_its_qrels(project: Project) -> None:
    beir(project.folder / "set", "train")
    project.card("questions", format="beir", files=["set"], split="train", licence="MIT")
    rows = list(read_rows(load_card(project.settings(), "./questions.md")))
    at = "set/qrels/train.tsv#"
    assert rows == [
        SetAside(f"{at}3", f"{at}3", "not_relevant"),
        Pair(f"{at}2", "q1-d1", "What is mined?", "Salt is mined.", "Salt", query_key="q1", passage_key="d1"),
        Pair(f"{at}4", "q2-d2", "What is sold?", "Tea grows.", "", query_key="q2", passage_key="d2"),
        SetAside(f"{at}5", "q2-d9", "no_passage", "What is sold?", None),
    ]


def test_a_folder_to_train_on_needs_all_its_files(project: Project) -> None:
    beir(project.folder / "set")
    project.card("questions", format="beir", files=["set"], split="train", licence="MIT")
    with pytest.raises(UserError, match=r"a BEIR folder to train on has corpus\.jsonl, queries\.jsonl and qrels/train\.tsv"):
        list(read_rows(load_card(project.settings(), "./questions.md")))


def test_triples_are_one_pair_with_its_negatives(project: Project) -> None:
    folder = project.folder
    (folder / "queries.tsv").write_text('1\tWhat is "mined"?\n2\tWhat is sold?\n')
    (folder / "passages.tsv").write_text("10\tSalt is mined.\n11\tTea grows.\n12\tWool is sold.\nbroken line\n")
    (folder / "triples.tsv").write_text("1\t10\t12\n2\t12\t10\n1\t10\t11\n")
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["queries.tsv"], **table},
        passages={"files": ["passages.tsv"], **table},
        links={"files": ["triples.tsv"], "columns": ["q", "p", "n"], "quotes": False, "query": "q", "passage": "p", "negative": "n"},
    )
    rows = list(read_rows(load_card(project.settings(), "./questions.md")))
    assert rows == [
        SetAside("passages.tsv#4", "passages.tsv#4", "malformed", detail="1 columns instead of 2"),
        Pair(
            "triples.tsv#1",
            "1-10",
            'What is "mined"?',
            "Salt is mined.",
            negatives=(Passage("", "Tea grows.", "11"), Passage("", "Wool is sold.", "12")),
            query_key="1",
            passage_key="10",
        ),
        Pair(
            "triples.tsv#2",
            "2-12",
            "What is sold?",
            "Wool is sold.",
            negatives=(Passage("", "Salt is mined.", "10"),),
            query_key="2",
            passage_key="12",
        ),
    ]


def test_of_an_evaluation_set_the_linked_texts_count(project: Project) -> None:
    beir(project.folder / "set")
    settings = project.settings(evaluation=["set"])
    evaluation = evaluation_of(settings)
    assert {name: len(index) for name, index in evaluation.indexes.items()} == {"query": 2, "passage": 2}
    [facts] = evaluation.facts()["sets"]
    assert (facts["name"], facts["queries"], facts["passages"]) == ("set", 2, 2)


def test_without_links_all_texts_count(project: Project) -> None:
    lines(project.folder / "set" / "queries.jsonl", {"_id": "a", "text": "Who?"}, {"_id": "b", "text": None}, {"text": "Why?"})
    project.card("known", role="evaluation", licence="MIT", queries={"files": ["set/queries.jsonl"]})
    assert list(read_texts(load_card(project.settings(), "./known.md"))) == [("query", "a", "Who?")]


def test_folders_of_squad_files_and_of_plain_text_are_evaluation_sets_too(project: Project) -> None:
    for name in ("json", "text", "nothing"):
        (project.folder / name).mkdir()
    questions = [{"paragraphs": [{"context": "Salt is mined.", "qas": [{"id": "1", "question": "What is mined?", "answers": []}]}]}]
    (project.folder / "json" / "dev.json").write_text(json.dumps({"data": questions}))
    (project.folder / "text" / "lines.txt").write_text('First "line".\nSecond\tline.\n\nThird line.\n')
    sets = evaluation_of(project.settings(evaluation=["json", "text"])).facts()["sets"]
    assert [(entry["name"], entry["queries"], entry["passages"]) for entry in sets] == [("json", 1, 1), ("text", 2, 2)]
    with pytest.raises(UserError, match=r"evaluation: .*/nothing holds neither a BEIR layout"):
        evaluation_of(project.settings(evaluation=["nothing"]))
