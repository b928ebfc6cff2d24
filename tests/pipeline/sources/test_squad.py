from __future__ import annotations

import gzip
import json

import pytest

from pipeline.errors import UserError
from pipeline.sources.card import Card, load_card
from pipeline.sources.pairs import Pair, SetAside
from pipeline.sources.squad import read_squad
from tests.project import Project, article


def card(project: Project) -> Card:
    return load_card(project.settings(), "./questions.md")


def test_each_question_is_a_pair_with_its_paragraph(project: Project) -> None:
    project.source("questions", [article("Salt is mined.", ("What is mined?", "Salt"), ("Is salt mined?", "mined"), title="White_gold")])
    rows = list(read_squad(card(project)))
    assert [(row.query, row.passage, row.title, row.answer) for row in rows if isinstance(row, Pair)] == [
        ("What is mined?", "Salt is mined.", "White gold", "Salt"),
        ("Is salt mined?", "Salt is mined.", "White gold", "mined"),
    ]
    assert rows[1].position == "questions.json#data.0.paragraphs.0.qas.1"


def test_rows_that_are_no_pairs_are_set_aside(project: Project) -> None:
    paragraph = {
        "context": "Text.",
        "qas": [
            {"id": "a", "question": "No answer?", "answers": []},
            {"id": "b", "question": 7, "answers": [{"text": "x"}]},
            "not a question",
            {"id": "d", "question": "Good?", "answers": [{"text": "Text", "answer_start": 0}]},
        ],
    }
    project.source("questions", [{"paragraphs": [paragraph]}])
    rows = list(read_squad(card(project)))
    assert [(row.source_id, row.reason) for row in rows if isinstance(row, SetAside)] == [
        ("a", "no_answer"),
        ("b", "malformed"),
        ("questions.json#data.0.paragraphs.0.qas.2", "malformed"),
    ]
    assert [row.source_id for row in rows if isinstance(row, Pair)] == ["d"]


def test_a_gzipped_file_is_read_by_its_content(project: Project) -> None:
    project.source("questions", [article("Salt is mined.", ("What is mined?", "Salt"))])
    path = project.folder / "questions.json"
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert len(list(read_squad(card(project)))) == 1
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"questions\.md: file 'questions\.json' is not JSON: Compressed file ended"):
        list(read_squad(card(project)))


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"data": [', "is not JSON"), ('{"rows": []}', "is not in SQuAD format: it has no list 'data'"), ("[]", "is not in SQuAD format")],
)
def test_a_file_that_is_not_squad_is_named(project: Project, content: str, message: str) -> None:
    project.source("questions", [])
    (project.folder / "questions.json").write_text(content)
    with pytest.raises(UserError, match=message):
        list(read_squad(card(project)))


def test_xquad_is_read_whole(project: Project, xquad) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0")
    rows = list(read_squad(card(project)))
    assert len(rows) == 1190
    assert all(isinstance(row, Pair) for row in rows)
    document = json.loads(gzip.decompress((xquad / "en.json.gz").read_bytes()))
    assert {row.source_id for row in rows} == {qa["id"] for a in document["data"] for p in a["paragraphs"] for qa in p["qas"]}
