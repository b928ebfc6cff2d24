"""As many languages as a release can have, and sources with languages of their own: to a release and to a batch."""

from __future__ import annotations

import json
import shutil

import pytest

from parallel_qa.pipeline.batches import open_release, release_store
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import Release, publish
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import MOST_LANGUAGES, Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from tests.instant_engine import Asked, use_instant_engine
from tests.project import Project, article

CODES = sorted(language.code for language in LANGUAGES if language != ENGLISH)
ENGLISH_TEXT = {"language": False, "min_script": None, "max_copied": None, "max_untranslated": None, "min_marks": None}
"""Thresholds that let the answers of the instant engine pass, which are English."""


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return use_instant_engine(monkeypatch)


def write_model(project: Project) -> None:
    """A model folder that knows all of NLLB's languages."""
    shutil.copytree(SAMPLE, project.folder / "all")
    (project.folder / "all" / "model.json").unlink()
    vocabulary = project.folder / "all" / "shared_vocabulary.json"
    tokens = json.loads(vocabulary.read_text(encoding="utf-8"))
    vocabulary.write_text(json.dumps([*tokens, *(code for code in CODES if code not in tokens)]), encoding="utf-8")


def released(settings: Settings, store: Store) -> Release:
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    release = publish(settings, store)
    assert list(verify(release_store(store.url))) == []
    return release


def write_source(project: Project, name: str, count: int, **front: object) -> None:
    rivers = [f"The river Aldo of {name} is {number} kilometres long." for number in range(count)]
    project.source(name, [article(text, (f"What is {number} of {name}?", "Aldo")) for number, text in enumerate(rivers)], **front)


def test_more_languages_than_a_release_can_have_are_refused_when_the_profile_is_read(project: Project) -> None:
    assert len(CODES) > MOST_LANGUAGES == 62
    assert project.settings(languages=CODES[:62]).languages == CODES[:62]
    with pytest.raises(UserError, match=r"profile\.yaml: languages: List should have at most 62 items after validation, not 63"):
        project.settings(languages=CODES[:63])


def test_as_many_languages_as_there_can_be_run_to_a_release_and_a_batch(project: Project, store: Store) -> None:
    write_source(project, "questions", 4)
    write_model(project)
    codes = CODES[:: len(CODES) // 62][:62]
    settings = project.settings(
        languages=codes, cleaning={"language": False}, translation={"model": "all", "licence": "MIT"}, filters=ENGLISH_TEXT
    )
    release = released(settings, store)
    assert release.manifest["languages"] == ["eng_Latn", *codes]
    counts = release.manifest["sources"]["questions"]["languages"]
    assert {code: counts[code]["pairs"]["kept"] for code in codes} == dict.fromkeys(codes, 4)
    last = next(open_release(store.url).batches(alpha=1.0, languages=[codes[-1]], batch_size=4))
    assert sorted(last.queries) == [f"Query: What is {number} of questions? [{codes[-1]}]" for number in range(4)]
    drawn = open_release(store.url).batches(alpha=0.0, batch_size=4)
    languages = {code for _, batch in zip(range(100), drawn, strict=False) for code in (*batch.query_languages, *batch.passage_languages)}
    assert languages <= {"eng_Latn", *codes} and len(languages) > 40


def test_sources_with_languages_of_their_own_run_to_a_release_and_a_batch(project: Project, store: Store, asked: Asked) -> None:
    write_source(project, "all", 4)
    write_source(project, "english", 5)
    write_source(project, "german", 6)
    write_source(project, "card", 7, languages=["es"])
    settings = project.settings(
        sources=["./all.md", {"card": "./english.md", "languages": []}, {"card": "./german.md", "languages": ["de"]}, "./card.md"],
        languages=["de", "es"],
        cleaning={"language": False},
        filters=ENGLISH_TEXT,
    )
    release = released(settings, store)
    plan = Plan(settings, store)
    assert {source.name: source.languages for source in plan.sources} == {
        "all": ["deu_Latn", "spa_Latn"], "english": [], "german": ["deu_Latn"], "card": ["spa_Latn"],
    }  # fmt: skip
    assert sorted(plan.translated) == [("all", "deu_Latn"), ("all", "spa_Latn"), ("card", "spa_Latn"), ("german", "deu_Latn")]
    assert sorted(plan.segmented) == [(name, "eng_Latn") for name in ("all", "card", "german")]
    assert not any(" english" in text for _, _, text in asked)
    kept = {
        name: {code: counts["pairs"]["kept"] for code, counts in facts["languages"].items() if counts["pairs"]["kept"]}
        for name, facts in release.manifest["sources"].items()
    }
    assert kept == {"all": {"deu_Latn": 4, "spa_Latn": 4}, "english": {}, "german": {"deu_Latn": 6}, "card": {"spa_Latn": 7}}
    assert release.manifest["rows"]["pairs"] == 4 + 5 + 6 + 7
    opened = open_release(store.url)
    seen: dict[str, set[str]] = {}
    for _, batch in zip(range(60), opened.batches(alpha=0.5, batch_size=4), strict=False):
        seen.setdefault(batch.source, set()).update((*batch.query_languages, *batch.passage_languages))
    assert seen == {
        "all": {"eng_Latn", "deu_Latn", "spa_Latn"}, "english": {"eng_Latn"},
        "german": {"eng_Latn", "deu_Latn"}, "card": {"eng_Latn", "spa_Latn"},
    }  # fmt: skip


def test_a_run_of_english_alone_has_a_release_too(project: Project, store: Store, asked: Asked) -> None:
    write_source(project, "questions", 4)
    settings = project.settings(sources=[{"card": "./questions.md", "languages": []}], languages=["de"], cleaning={"language": False})
    release = released(settings, store)
    assert (release.manifest["rows"]["pairs"], asked) == (4, {})
    batch = next(open_release(store.url).batches(batch_size=4))
    assert set(batch.query_languages) == set(batch.passage_languages) == {"eng_Latn"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"card": "./questions.md", "languages": ["es"]}, r"sources\.0\.languages: spa_Latn is not among the run's `languages`"),
        ({"card": "./questions.md", "languages": ["deutsch"]}, r"sources\.0\.languages\.0: unknown language 'deutsch'"),
        ({"card": "./questions.md", "languages": ["en"]}, r"sources\.0\.languages\.0: English is the source language"),
        ({"languages": ["de"]}, r"sources\.0\.card: Field required"),
        ({"card": "./questions.md", "language": ["de"]}, r"unknown key 'sources\.0\.language': did you mean 'languages'\?"),
    ],
)
def test_languages_of_a_source_that_the_run_cannot_have_are_named(project: Project, source: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        project.settings(sources=[source], languages=["de"])


def test_a_language_that_two_sources_have_differently_can_be_added(project: Project, store: Store, asked: Asked) -> None:
    write_source(project, "one", 4)
    write_source(project, "two", 4)
    common = {"languages": ["de", "es"], "cleaning": {"language": False}, "filters": ENGLISH_TEXT}
    released(project.settings(sources=["./one.md", {"card": "./two.md", "languages": ["de"]}], **common), store)
    asked.clear()
    release = released(project.settings(sources=["./one.md", "./two.md"], **common), store)
    assert {target for source, target, _ in asked if source == "eng_Latn"} == {"spa_Latn"}
    assert all("two" in text for _, _, text in asked)
    assert release.manifest["sources"]["two"]["languages"]["spa_Latn"]["pairs"]["kept"] == 4
