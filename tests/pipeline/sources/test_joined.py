from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.sources.card import Card, load_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.evaluation import evaluation_of
from parallel_qa.pipeline.sources.joined import MAX_NEGATIVES, read_texts
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
            negatives=(Passage("", "Wool is sold.", "12"), Passage("", "Tea grows.", "11")),
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


def triples(project: Project, queries: list[list[str]], passages: list[list[str]], links: list[list[str]]) -> Card:
    """A card of three tables of tab-separated lines."""
    for name, rows in (("queries", queries), ("passages", passages), ("triples", links)):
        (project.folder / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["queries.tsv"], **table},
        passages={"files": ["passages.tsv"], **table},
        links={"files": ["triples.tsv"], "columns": ["q", "p", "n"], "quotes": False, "query": "q", "passage": "p", "negative": "n"},
    )
    return load_card(project.settings(), "./questions.md")


def test_of_many_negatives_the_first_ones_are_kept(project: Project) -> None:
    passages = [[f"{number}", f"Passage {number}."] for number in range(40)]
    order = [*range(39, 0, -1), *range(39, 0, -1)]
    card = triples(project, [["q", "Which?"]], passages, [["q", "0", str(number)] for number in order])
    [pair] = read_rows(card)
    assert isinstance(pair, Pair)
    assert [negative.key for negative in pair.negatives] == [str(number) for number in range(39, 39 - MAX_NEGATIVES, -1)]


def test_of_texts_with_one_id_the_first_counts(project: Project) -> None:
    card = triples(
        project,
        [["q", "Which?"], ["q", "Another?"]],
        [["a", "First."], ["b", "Wrong."], ["a", "Second."], ["b", "Wrong again."]] * 3,
        [["q", "a", "b"]],
    )
    [pair] = read_rows(card)
    assert isinstance(pair, Pair)
    assert (pair.query, pair.passage, pair.negatives) == ("Which?", "First.", (Passage("", "Wrong.", "b"),))


@pytest.mark.parametrize("step", [1, -1])
def test_of_many_texts_with_one_id_the_first_in_the_file_counts_and_the_order_is_that_of_the_links(project: Project, step: int) -> None:
    """More texts than one thread of the database takes at a time, in one order and in the other."""
    numbers = range(150_000)[::step]
    passages = [[str(number % 5), f"Passage {number}."] for number in numbers]
    queries = [[str(number % 7), f"Query {number}?"] for number in numbers[:1000]]
    links = [[str(number % 7), str(number % 5), str((number + 1) % 5)] for number in numbers[:1000]]
    card = triples(project, queries, passages, links)
    query_texts, passage_texts = dict(reversed(queries)), dict(reversed(passages))
    negatives = {(query, passage): negative for query, passage, negative in links}
    expected = [
        (query_texts[query], passage_texts[passage], (Passage("", passage_texts[negative], negative),))
        for (query, passage), negative in negatives.items()
    ]
    assert [(row.query, row.passage, row.negatives) for row in read_rows(card) if isinstance(row, Pair)] == expected


KEYS = st.sampled_from("abcdef")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(KEYS, KEYS, KEYS), max_size=40), st.lists(KEYS, max_size=8), st.lists(KEYS, max_size=8))
def test_tables_are_joined_as_one_would_by_hand(
    project: Project, links: list[tuple[str, str, str]], queries: list[str], passages: list[str]
) -> None:
    card = triples(
        project,
        [[key, f"Query {place}?"] for place, key in enumerate(queries)],
        [[key, f"Passage {place}."] for place, key in enumerate(passages)],
        [list(link) for link in links],
    )
    query_texts = {key: f"Query {queries.index(key)}?" for key in queries}
    passage_texts = {key: f"Passage {passages.index(key)}." for key in passages}
    negatives: dict[tuple[str, str], dict[str, None]] = {}
    for query, passage, negative in links:
        negatives.setdefault((query, passage), {})[negative] = None
    expected = []
    for query, passage in negatives:
        position = f"triples.tsv#{next(place for place, link in enumerate(links, 1) if link[:2] == (query, passage))}"
        source_id, texts = f"{query}-{passage}", (query_texts.get(query), passage_texts.get(passage))
        if None in texts:
            expected.append(SetAside(position, source_id, "no_passage" if texts[0] else "no_query", *texts))
            continue
        others = tuple(Passage("", passage_texts[key], key) for key in negatives[query, passage] if key in passage_texts)
        expected.append(Pair(position, source_id, *texts, negatives=others, query_key=query, passage_key=passage))
    assert list(read_rows(card)) == expected


def test_of_an_evaluation_set_the_linked_texts_count(project: Project) -> None:
    beir(project.folder / "set")
    evaluation = evaluation_of(project.settings(evaluation=["set"]))
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
