from __future__ import annotations

from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import EVALUATION, HOUSE, load_settings
from parallel_qa.pipeline.sources.card import JOIN_VERSION, load_card, shipped_cards
from parallel_qa.pipeline.sources.training import training_sources
from tests.project import Project

GOOD = {"format": "squad", "files": ["questions.json"], "licence": "CC0-1.0"}
ROWS = {"query": "question", "passage": "context"}
FILES = {"queries": "a", "passages": "b"}
HUB = {"repository": "rajpurkar/squad", "revision": "main"}


@pytest.mark.parametrize("path", sorted((HOUSE / "data_cards").glob("*.md")), ids=lambda path: path.stem)
def test_every_shipped_card_is_valid(path: Path) -> None:
    card = load_card(load_settings("sample"), path.stem)
    assert card.name == path.stem


def test_a_card_in_another_encoding_is_named_and_a_byte_order_mark_is_none_of_it(project: Project) -> None:
    path = project.card("questions", **GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_card(project.settings(), "./questions.md").name == "questions"
    path.write_bytes(path.read_bytes() + "Köln".encode("latin-1"))
    with pytest.raises(UserError, match=r"questions\.md: cannot be read: 'utf-8' codec can't decode byte 0xf6"):
        load_card(project.settings(), "./questions.md")


def test_the_usual_evaluation_sets_have_cards_and_are_no_sources() -> None:
    assert set(EVALUATION) <= set(shipped_cards())
    settings = load_settings("sample")
    assert {load_card(settings, name).role for name in EVALUATION} == {"evaluation"}


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ({"licence": None}, r"the card has no licence: add a line such as 'licence: CC-BY-SA-4\.0'"),
        ({"licence": " "}, r"licence: name the licence"),
        ({"name": "../../etc"}, r"name: '\.\./\.\./etc' must be made of letters"),
        ({"format": "xml"}, r"format: Input should be 'parquet', 'jsonl', 'json', 'csv', 'tsv', 'squad' or 'beir'"),
        ({"lisence": "MIT"}, r"unknown key 'lisence': did you mean 'licence'\?"),
        ({"files": []}, r".*files: name the files, or the `hub` repository"),
        ({"format": None}, r".*rows: say how a row yields `query` and `passage`"),
        ({"rows": {"query": "question"}}, r"rows\.passage: Field required"),
        ({"rows": {**ROWS, "query": "question["}}, r"rows\.query: 'question\[' is no JMESPath expression"),
        ({"rows": {**ROWS, "explode": {"item": "a b"}}}, r"rows\.explode\.item: 'a b' is no JMESPath expression"),
        ({"rows": {**ROWS, "adapter": "os.system"}}, r"rows\.adapter: Input should be 'natural_questions'"),
        ({"rows": {**ROWS, "passages": "context"}}, r"unknown key 'rows\.passages': did you mean 'passage'\?"),
        ({"hub": {**HUB, "repository": "../x"}}, r"hub\.repository: '\.\./x' is no hub id such as rajpurkar/squad"),
        ({"hub": HUB, "files": []}, r".*config: name the repository's `config` and `split`, or `files` in it"),
        ({"config": "default"}, r".*config: only a `hub` repository has configurations"),
        ({"sample": 0}, r"sample: Input should be greater than 0"),
        (
            {"rows": ROWS, "queries": {"files": ["q.tsv"]}},
            r".*rows: a source of three tables takes `queries`, `passages` and `links` instead",
        ),
        ({"queries": {"files": ["q.tsv"]}}, r".*links: a source of three tables needs"),
        (
            {"translations": {"queries": "a", "passages": "b", "languages": {"de": "german"}}},
            r".*only a source of three tables can be joined",
        ),
        ({"translations": {"queries": "a", "passages": "b", "languages": {"xx": "x"}}}, r"translations\.languages: .*'xx'"),
        ({"languages": ["en"]}, r"languages\.0: English is the source language"),
        ({"languages": ["deutsch"]}, r"languages\.0: unknown language 'deutsch': use an NLLB-200 code"),
        ({"languages": ["de", "deu_Latn"]}, r"languages: deu_Latn is listed twice"),
        ({"size": {"pairs": -1}}, r"size\.pairs: Input should be greater than or equal to 0"),
        ({"size": {"pears": 1}}, r"unknown key 'size\.pears': did you mean 'pairs'\?"),
        ({"licence_terms": ["research"]}, r"licence_terms\.0: Input should be 'attribution', 'share_alike', 'non_commercial'"),
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
    with pytest.raises(UserError, match=r"no data card 'squid': give the path of a \.md file, or one of .*sample-qa.*, squad"):
        load_card(project.settings(), "squid")


def test_what_a_card_says_for_people_decides_nothing(project: Project) -> None:
    project.card("questions", **GOOD)
    plain = load_card(project.settings(), "./questions.md").reading()
    project.card("questions", **{**GOOD, "title": "Other", "licence": "MIT", "homepage": "https://example.org", "citation": "@misc{x}"})
    assert load_card(project.settings(), "./questions.md").reading() == plain
    project.card("questions", **{**GOOD, "licence": "LicenseRef-Mine", "licence_terms": ["attribution"]})
    assert load_card(project.settings(), "./questions.md").reading() == plain
    project.card("questions", **GOOD, languages=["de"], size={"pairs": 7})
    assert load_card(project.settings(), "./questions.md").reading() == plain
    project.card("questions", **GOOD, limit=5)
    assert load_card(project.settings(), "./questions.md").reading() != plain


RUN = ["deu_Latn", "arb_Arab", "zho_Hans"]
TABLES = {name: {"files": [f"{name}.tsv"]} for name in ("queries", "passages")}
PARALLEL = {
    "licence": "MIT",
    **TABLES,
    "links": {"files": ["links.tsv"], "query": "q", "passage": "p"},
    "translations": {"queries": "{}.tsv", "passages": "{}.tsv", "languages": {"zh": "chinese", "de": "german", "fr": "french"}},
}


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        (GOOD, RUN),
        ({**GOOD, "languages": []}, []),
        ({**GOOD, "languages": ["zh", "fr", "de"]}, ["deu_Latn", "zho_Hans"]),
        (PARALLEL, ["deu_Latn", "zho_Hans"]),
        ({**PARALLEL, "languages": ["zh"]}, ["zho_Hans"]),
        ({**PARALLEL, "languages": []}, []),
    ],
)
def test_a_source_may_have_languages_of_its_own(project: Project, front: dict[str, object], expected: list[str]) -> None:
    project.card("questions", **front)
    assert load_card(project.settings(), "./questions.md").target_languages(RUN) == expected


def test_a_parallel_source_has_the_languages_of_its_translations_only(project: Project) -> None:
    project.card("questions", **PARALLEL, languages=["de", "ar"])
    with pytest.raises(UserError, match=r"questions\.md: .*languages: arb_Arab: the source has no such `translations`"):
        load_card(project.settings(), "./questions.md")


def test_a_card_of_joined_tables_knows_how_they_are_joined(project: Project) -> None:
    project.card("questions", **PARALLEL)
    assert load_card(project.settings(), "./questions.md").reading()["join"] == JOIN_VERSION
    project.card("questions", **PARALLEL, role="evaluation")
    assert "join" not in load_card(project.settings(), "./questions.md").reading()


def test_the_cards_of_the_paper_say_how_large_they_are() -> None:
    sources = {source.name: source for source in training_sources(load_settings("paper"))}
    for source in sources.values():
        assert source.card.size is not None
        pairs, queries, passages, sentences = (getattr(source.card.size, name) for name in ("pairs", "queries", "passages", "sentences"))
        assert queries <= pairs and passages <= 2 * pairs and sentences >= queries
    assert {name for name, source in sources.items() if not source.languages} == {"mfaq", "mr-tydi"}
    assert len(sources["mmarco"].languages) == 6
