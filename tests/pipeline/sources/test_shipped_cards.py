"""Each shipped card reads a repository of the shape that it describes, through `datasets`, from a hub on loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parallel_qa.flows.cli import app
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import EVALUATION, HOUSE
from parallel_qa.pipeline.sources.card import Card, Hub, read_card, shipped_cards
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.evaluation import Evaluation
from parallel_qa.pipeline.sources.fetching import pin
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside
from tests.loopback_hub import LoopbackHub
from tests.pipeline.sources.shapes import SHAPES, STORY, mteb

COMMIT = "5a" * 20


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub().serve() as server:
        server.stand_in(monkeypatch, tmp_path)
        yield server


@pytest.fixture
def entity_questions(tmp_path: Path) -> Iterator[str]:
    """The address of a zip file such as EntityQuestions is."""
    SHAPES["entity-questions"](tmp_path)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/dataset.zip"
        server.shutdown()


def shipped(name: str, hub: LoopbackHub, folder: Path) -> Card:
    """The card `name`, pinned to the one commit of a loopback repository of its shape."""
    card = read_card(HOUSE / "data_cards" / f"{name}.md")
    assert card.hub
    folder = folder / "repository"
    folder.mkdir()
    (SHAPES.get(name) or mteb)(folder)
    hub.repositories[f"datasets/{card.hub.repository}"] = (COMMIT, folder)
    return card.model_copy(update={"hub": Hub(repository=card.hub.repository, revision=COMMIT)})


def rows(name: str, hub: LoopbackHub, folder: Path) -> list[tuple[object, ...]]:
    """What the card yields: (id, query, passage, title, answer, negatives), or (id, reason)."""
    return [
        (row.source_id, row.reason)
        if isinstance(row, SetAside)
        else (row.source_id, row.query, row.passage, row.title, row.answer, row.negatives)
        for row in read_rows(shipped(name, hub, folder))
    ]


NORTH, WHITE = "Salt is mined in the north.", "Salt is white."
EXPECTED: dict[str, list[tuple[object, ...]]] = {
    "wikiqa": [
        ("Q1", "where is salt mined", "It is mined in the north.", "Salt", "It is mined in the north.", (Passage("", WHITE),)),
        ("Q2", "no_passage"),
    ],
    "natural-questions": [
        ("pair/train-00000-of-00001.parquet#0", "where is salt mined", "Salt Salt is mined in the north.", "", "", ()),
    ],
    "natural-questions-full": [
        ("1", "what is mined", "Salt is mined .", "Salt", "Salt", (Passage("", "Tea grows ."),)),
        ("2", "no_passage"),
    ],
    "yahoo-qa": [("title-answer-pair/train-00000-of-00001.parquet#0", "where is salt mined??", "In the north,<br>I think.", "", "", ())],
    "mfaq": [
        (
            f"data/en/train.jsonl#1.qa_pairs.{number}",
            *pair,
            "",
            "",
            (Passage("", "In the north."), Passage("", "All of us.")),
        )
        for number, pair in enumerate([("Where is salt mined?", "In the north."), ("Who drinks tea?", "All of us.")])
    ],
    "mr-tydi": [
        ("7", "What is mined?", "Salt is mined.", "Salt", "", (Passage("Salt", WHITE),)),
        ("8", "What is mined?", "Salt is mined.", "Salt", "", ()),
    ],
    "mmarco": [
        ("9083-0", "where is salt mined", NORTH, "", "", (Passage("", "Tea grows.", "2"), Passage("", "Extreme means very great.", "1"))),
        ("121352-1", 'define "extreme"', "Extreme means very great.", "", "", (Passage("", NORTH, "0"),)),
    ],
    "squadshifts": [("a", "Where is salt mined?", NORTH, "Salt", "in the north", ())] * 4,
    "squad": [
        ("a", "Where is salt mined?", NORTH, "Salt", "in the north", (Passage("", NORTH), Passage("", WHITE))),
        ("b", "What is white?", WHITE, "Salt", "Salt", (Passage("", NORTH), Passage("", WHITE))),
        ("c", "Where does tea grow?", "Tea grows in the south.", "Tea", "in the south", (Passage("", "Tea grows in the south."),)),
    ],
    "xquad": [
        ("a", "Where is salt mined?", NORTH, "", "in the north", ()),
        ("b", "What is white?", WHITE, "", "Salt", ()),
        ("c", "Where does tea grow?", "Tea grows in the south.", "", "in the south", ()),
    ],
    "mlqa": [
        ("a", "Where is salt mined?", NORTH, "", "in the north", ()),
        ("b", "What is white?", WHITE, "", "Salt", ()),
        ("c", "Where does tea grow?", "Tea grows in the south.", "", "in the south", ()),
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_card_maps_the_rows_of_its_repository(name: str, hub: LoopbackHub, tmp_path: Path) -> None:
    assert rows(name, hub, tmp_path) == EXPECTED[name]
    assert not [path for _, path, _ in hub.requests if path.endswith(".py") and "/resolve/" in path and not path.startswith("/datasets/")]


@pytest.mark.parametrize("name", ["duorc", "duorc-paraphrase", "newsqa"])
def test_of_a_long_text_the_part_with_the_answer_is_the_passage(name: str, hub: LoopbackHub, tmp_path: Path) -> None:
    found = list(read_rows(shipped(name, hub, tmp_path)))
    pair = found[0]
    assert isinstance(pair, Pair)
    assert pair.query == "Where did Ada move to?" and "Marlo" in pair.passage
    assert pair.passage in STORY and len(pair.passage.split()) <= 180
    assert [row.reason for row in found[1:] if isinstance(row, SetAside)] == (
        [] if name == "newsqa" else ["no_answer", "answer_not_in_passage"]
    )


def test_entity_questions_has_answers_for_passages(entity_questions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    card = read_card(HOUSE / "data_cards" / "entity-questions.md").model_copy(update={"files": [entity_questions]})
    found = [(row.position, row.query, row.passage) for row in read_rows(card)]
    assert found == [
        ("dataset/train/P17.train.json#0", "Which country is Marlo located in?", "Velu; Kingdom of Velu"),
        ("dataset/train/P19.train.json#0", "Where was Ada Lum born?", "Velu; Kingdom of Velu"),
    ]


@pytest.mark.parametrize("name", sorted(EVALUATION))
def test_every_usual_evaluation_set_gives_its_texts(name: str, hub: LoopbackHub, tmp_path: Path) -> None:
    evaluation = Evaluation([shipped(name, hub, tmp_path)])
    [entry] = evaluation.sets
    of_squad = {"xquad": (3, 3), "mlqa": (3, 3), "squadshifts": (1, 1)}  # questions, passages
    assert (entry["queries"], entry["passages"]) == of_squad.get(name, (1, 1))  # of the others the linked ones
    assert (entry["name"], entry["version"]) == (name, COMMIT)


def test_every_shipped_card_is_tested() -> None:
    own = {"sample-qa", "sample-evaluation"}
    templates = {name for name in shipped_cards() if name.startswith("generic-")}
    assert set(shipped_cards()) == own | templates | set(EXPECTED) | set(EVALUATION) | set(SHAPES)


def test_an_unpinned_card_is_refused_until_it_is_pinned(hub: LoopbackHub, tmp_path: Path) -> None:
    card = shipped("wikiqa", hub, tmp_path)
    path = tmp_path / "wikiqa.md"
    text = card.path.read_text(encoding="utf-8")
    revision = read_card(card.path).hub.revision  # type: ignore[union-attr]
    path.write_text(text.replace(revision, "main"), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"wikiqa\.md: hub\.revision: 'main' may change; a run needs a commit: 'parallel-qa sources pin wikiqa'"
    ):
        list(read_rows(read_card(path)))
    hub.branches["main"] = COMMIT
    assert pin(read_card(path)) == ("main", COMMIT)
    assert path.read_text(encoding="utf-8") == text.replace(revision, COMMIT)
    assert len(list(read_rows(read_card(path)))) == 2


def test_a_broken_download_is_tried_again_and_goes_on(hub: LoopbackHub, tmp_path: Path) -> None:
    card = shipped("squad", hub, tmp_path)
    file = "plain_text/train-00000-of-00001.parquet"
    hub.statuses[file] = [503, 429]
    hub.break_after[file] = 1000
    assert len(list(read_rows(card))) == 3
    assert len(hub.downloads(file)) == 4
    asked = len(hub.downloads(file))
    assert len(list(read_rows(card))) == 3
    assert len(hub.downloads(file)) == asked  # it is in the cache


def test_a_file_that_is_not_the_hubs_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    card = shipped("squad", hub, tmp_path)
    hub.corrupt.add("plain_text/train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=r"dataset rajpurkar/squad at [5a]+: plain_text/train.* has another SHA-256 than expected"):
        list(read_rows(card))


def test_check_prints_the_first_rows_mapped(hub: LoopbackHub, tmp_path: Path) -> None:
    card = shipped("wikiqa", hub, tmp_path)
    path = tmp_path / "copy.md"
    revision = read_card(card.path).hub.revision  # type: ignore[union-attr]
    path.write_text(card.path.read_text(encoding="utf-8").replace(revision, COMMIT), encoding="utf-8")
    result = CliRunner().invoke(app, ["sources", "check", str(path)])
    assert result.exit_code == 0, result.output
    for shown in ("where is salt mined", "It is mined in the north.", "negative", "Salt is white.", "set aside", "no_passage"):
        assert shown in result.output
    assert "wikiqa" in CliRunner().invoke(app, ["sources", "list"]).output
    assert "# wikiqa" in CliRunner().invoke(app, ["sources", "show", "wikiqa"]).output


def test_check_says_what_a_changed_repository_has_instead(hub: LoopbackHub, tmp_path: Path) -> None:
    card = shipped("squad", hub, tmp_path)
    for update, message in (
        ({"split": "dev"}, r"squad\.md: split: 'plain_text' of rajpurkar/squad has no 'dev'; it has: train"),
        ({"config": "other"}, r"squad\.md: rajpurkar/squad at [5a]+: configuration 'other': BuilderConfig 'other' not found"),
        (
            {"files": ["data/*.parquet"]},
            r"squad\.md: rajpurkar/squad at [5a]+ has no file 'data/\*\.parquet'; it has: README\.md, plain",
        ),
    ):
        with pytest.raises(UserError, match=message):
            list(read_rows(card.model_copy(update=update)))
