"""Each shipped card reads a repository of the shape that it describes, through `datasets`, from a hub on loopback."""

from __future__ import annotations

import gzip
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
from parallel_qa.pipeline.sources.fetching import identity
from parallel_qa.pipeline.sources.pinning import pin
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside
from parallel_qa.pipeline.store import fingerprint, sha256_of
from tests.loopback_hub import LoopbackHub
from tests.pipeline.sources.shapes import RAW, SHAPES, STORY, mteb

COMMIT = "5a" * 20


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub().serve() as server:
        server.stand_in(monkeypatch, tmp_path)
        yield server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of the files in the folder `repository`."""
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "repository"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()


def moved(card: Card, server: str, folder: Path) -> Card:
    """A card of addresses on a Git host, which reads the same paths from `server`; checksums that it has are those of the files there."""
    checksums = {file: sha256_of(folder / file.removeprefix(RAW)) for file in card.sha256}
    return card.model_copy(
        update={
            "files": [file.replace(RAW, server) for file in card.files],
            "sha256": {file.replace(RAW, server): checksum for file, checksum in checksums.items()},
        }
    )


def shipped(name: str, hub: LoopbackHub, server: str, folder: Path) -> Card:
    """The card `name`, pinned to the one commit of a loopback repository of its shape."""
    card = read_card(HOUSE / "data_cards" / f"{name}.md")
    folder = folder / "repository"
    folder.mkdir()
    (SHAPES.get(name) or mteb)(folder)
    if card.hub is None:
        return moved(card, server, folder)
    hub.repositories[f"datasets/{card.hub.repository}"] = (COMMIT, folder)
    return card.model_copy(update={"hub": Hub(repository=card.hub.repository, revision=COMMIT)})


def rows(name: str, hub: LoopbackHub, server: str, folder: Path) -> list[tuple[object, ...]]:
    """What the card yields: (id, query, passage, title, answer, negatives), or (id, reason)."""
    return [
        (row.source_id, row.reason)
        if isinstance(row, SetAside)
        else (row.source_id, row.query, row.passage, row.title, row.answer, row.negatives)
        for row in read_rows(shipped(name, hub, server, folder))
    ]


NORTH, WHITE = "Salt is mined in the north.", "Salt is white."
OF_LAREQA = [
    ("a", "Where is salt mined?", NORTH, "Salt", "in the north", ()),
    ("b", "What is white?", WHITE, "Salt", "Salt", ()),
    ("c", "Where does tea grow?", "Tea grows in the south.", "Tea", "in the south", ()),
]
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
    "squadshifts": [(part, "Where is salt mined?", NORTH, "Salt", "in the north", ()) for part in ("wiki", "nyt", "reddit", "amazon")],
    "mlqa-r": OF_LAREQA,
    "xquad-r": OF_LAREQA,
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
def test_a_card_maps_the_rows_of_its_repository(name: str, hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    assert rows(name, hub, server, tmp_path) == EXPECTED[name]
    assert not [path for _, path, _ in hub.requests if path.endswith(".py") and "/resolve/" in path and not path.startswith("/datasets/")]


@pytest.mark.parametrize("name", ["duorc", "duorc-paraphrase", "newsqa"])
def test_of_a_long_text_the_part_with_the_answer_is_the_passage(name: str, hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    found = list(read_rows(shipped(name, hub, server, tmp_path)))
    pair = found[0]
    assert isinstance(pair, Pair)
    assert pair.query == "Where did Ada move to?" and "Marlo" in pair.passage
    assert pair.passage in STORY and len(pair.passage.split()) <= 180
    assert [row.reason for row in found[1:] if isinstance(row, SetAside)] == (
        [] if name == "newsqa" else ["no_answer", "answer_not_in_passage"]
    )


def test_entity_questions_has_answers_for_passages(server: str, tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    SHAPES["entity-questions"](tmp_path / "repository")
    card = read_card(HOUSE / "data_cards" / "entity-questions.md").model_copy(update={"files": [f"{server}dataset.zip"]})
    found = [(row.position, row.query, row.passage) for row in read_rows(card)]
    assert found == [
        ("dataset/train/P17.train.json#0", "Which country is Marlo located in?", "Velu; Kingdom of Velu"),
        ("dataset/train/P19.train.json#0", "Where was Ada Lum born?", "Velu; Kingdom of Velu"),
    ]


@pytest.mark.parametrize("name", sorted(EVALUATION))
def test_every_usual_evaluation_set_gives_its_texts(name: str, hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped(name, hub, server, tmp_path)
    [entry] = Evaluation([card]).sets
    of_squad = {"xquad-r": (3, 3), "mlqa-r": (3, 3), "squadshifts": (1, 1)}  # questions, passages
    assert (entry["queries"], entry["passages"]) == of_squad.get(name, (1, 1))  # of the others the linked ones
    assert (entry["name"], entry["version"]) == (name, COMMIT if card.hub else fingerprint(**identity(card)))


@pytest.mark.parametrize("name", ["squadshifts", "mlqa-r", "xquad-r"])
def test_a_file_of_the_authors_that_is_another_one_is_refused(name: str, hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped(name, hub, server, tmp_path)
    file = tmp_path / "repository" / card.files[0].removeprefix(server)
    file.write_bytes(file.read_bytes().replace(b"Salt", b"Tea!"))
    with pytest.raises(UserError, match=rf"{name}\.md: file '.*\.json' has another SHA-256 than the card says"):
        list(read_rows(card))


def test_the_real_file_of_xquad_r_is_the_one_of_its_card(xquad: Path, server: str, tmp_path: Path) -> None:
    card = read_card(HOUSE / "data_cards/xquad-r.md")
    file = tmp_path / "repository" / card.files[0].removeprefix(RAW)
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.decompress((xquad / "en.json.gz").read_bytes()))
    assert card.sha256 == {card.files[0]: sha256_of(file)}
    found = list(read_rows(moved(card, server, tmp_path / "repository")))
    pairs = [row for row in found if isinstance(row, Pair)]
    assert (len(pairs), len(found)) == (1190, 1190)
    assert len({row.source_id for row in pairs}) == 1190 and len({row.passage for row in pairs}) == 240
    assert pairs[0].query == "How many points did the Panthers defense surrender?" and pairs[0].answer == "308"


def test_every_shipped_card_is_tested() -> None:
    own = {"sample-qa", "sample-evaluation"}
    templates = {name for name in shipped_cards() if name.startswith("generic-")}
    assert set(shipped_cards()) == own | templates | set(EXPECTED) | set(EVALUATION) | set(SHAPES)


@pytest.mark.parametrize("written", ["revision: main", "revision: 'main'", 'revision: "main" # moves'])
def test_a_card_of_ones_own_is_refused_until_its_commit_is_written_into_it(
    written: str, hub: LoopbackHub, server: str, tmp_path: Path
) -> None:
    card = shipped("wikiqa", hub, server, tmp_path)
    path = tmp_path / "wikiqa.md"
    text = card.path.read_text(encoding="utf-8")
    revision = read_card(card.path).hub.revision  # type: ignore[union-attr]
    path.write_text(text.replace(f"revision: {revision}", written), encoding="utf-8")
    with pytest.raises(UserError) as error:
        list(read_rows(read_card(path)))
    remedy = f"'parallel-qa sources pin {path}' finds it and writes it into the card"
    assert str(error.value) == f"{path}: hub.revision: 'main' may change; a run needs a commit: {remedy}"
    hub.branches["main"] = COMMIT
    assert pin(read_card(path)) == ("main", COMMIT)
    assert path.read_text(encoding="utf-8") == text.replace(f"revision: {revision}", written.replace("main", COMMIT))
    assert len(list(read_rows(read_card(path)))) == 2


def test_a_broken_download_is_tried_again_and_goes_on(hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped("squad", hub, server, tmp_path)
    file = "plain_text/train-00000-of-00001.parquet"
    hub.statuses[file] = [503, 429]
    hub.break_after[file] = 1000
    assert len(list(read_rows(card))) == 3
    assert len(hub.downloads(file)) == 4
    asked = len(hub.downloads(file))
    assert len(list(read_rows(card))) == 3
    assert len(hub.downloads(file)) == asked  # it is in the cache


def test_a_file_that_is_not_the_hubs_is_refused(hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped("squad", hub, server, tmp_path)
    hub.corrupt.add("plain_text/train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=r"dataset rajpurkar/squad at [5a]+: plain_text/train.* has another SHA-256 than expected"):
        list(read_rows(card))


def test_check_prints_the_first_rows_mapped(hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped("wikiqa", hub, server, tmp_path)
    path = tmp_path / "copy.md"
    revision = read_card(card.path).hub.revision  # type: ignore[union-attr]
    path.write_text(card.path.read_text(encoding="utf-8").replace(revision, COMMIT), encoding="utf-8")
    result = CliRunner().invoke(app, ["sources", "check", str(path)])
    assert result.exit_code == 0, result.output
    for shown in ("where is salt mined", "It is mined in the north.", "negative", "Salt is white.", "set aside", "no_passage"):
        assert shown in result.output
    assert "wikiqa" in CliRunner().invoke(app, ["sources", "list"]).output
    assert "# wikiqa" in CliRunner().invoke(app, ["sources", "show", "wikiqa"]).output


def test_check_says_what_a_changed_repository_has_instead(hub: LoopbackHub, server: str, tmp_path: Path) -> None:
    card = shipped("squad", hub, server, tmp_path)
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
