from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.settings import HOUSE, load_settings
from pipeline.sources.card import load_card
from tests.project import Project, article

GOOD = {"format": "squad", "files": ["questions.json"], "licence": "CC0-1.0"}


@pytest.mark.parametrize("path", sorted((HOUSE / "data_cards").glob("*.md")), ids=lambda path: path.stem)
def test_every_shipped_card_is_valid(path: Path) -> None:
    card = load_card(load_settings("sample"), path.stem)
    assert card.name == path.stem


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ({"licence": None}, r"the card has no licence: add a line such as 'licence: CC-BY-SA-4\.0'"),
        ({"licence": " "}, r"licence: name the licence"),
        ({"name": "../../etc"}, r"name: '\.\./\.\./etc' must be made of letters"),
        ({"format": "xml"}, r"format: Input should be 'squad'"),
        ({"lisence": "MIT"}, r"unknown key 'lisence': did you mean 'licence'\?"),
        ({"files": []}, r"files: List should have at least 1 item"),
    ],
)
def test_a_bad_card_is_named_with_its_remedy(project: Project, front: dict[str, object], message: str) -> None:
    project.card("questions", **{**GOOD, **front})
    with pytest.raises(UserError, match=rf"questions\.md: {message}"):
        load_card(project.settings(), "./questions.md")


def test_a_card_without_front_matter_is_refused(project: Project) -> None:
    (project.folder / "questions.md").write_text("# Just text\n")
    with pytest.raises(UserError, match=r"questions\.md: a data card begins with YAML between two lines of ---"):
        load_card(project.settings(), "./questions.md")


def test_an_unknown_card_names_the_known_ones(project: Project) -> None:
    with pytest.raises(UserError, match=r"no data card 'squid': give the path of a \.md file, or one of sample-evaluation, sample-qa"):
        load_card(project.settings(), "squid")


def test_a_file_is_checked_against_its_checksum(project: Project) -> None:
    project.source("questions", [article("A passage.", ("A question?", "A"))])
    content = (project.folder / "questions.json").read_bytes()
    project.card("questions", **GOOD, sha256={"questions.json": hashlib.sha256(content).hexdigest()})
    assert load_card(project.settings(), "./questions.md").read("questions.json") == content
    project.card("questions", **GOOD, sha256={"questions.json": "0" * 64})
    with pytest.raises(UserError, match=r"questions\.md: file 'questions\.json' has another SHA-256"):
        load_card(project.settings(), "./questions.md").read("questions.json")


def test_a_missing_file_is_named(project: Project) -> None:
    project.card("questions", **GOOD)
    with pytest.raises(UserError, match=r"questions\.md: file 'questions\.json' cannot be read"):
        load_card(project.settings(), "./questions.md").read("questions.json")
