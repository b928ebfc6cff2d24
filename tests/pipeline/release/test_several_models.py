"""Models of their own for languages and for the way back, from the profile to a release that is verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchmarks.resealing import change_manifest
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import check_licences, publish
from parallel_qa.pipeline.release.reading.diff import diff
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.candidates import read_candidates
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import vocabulary
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.work import Outcome
from tests.family_checkpoints import opus, write_json
from tests.project import Project, article

TOWN = article(
    "Marlo is a small town in the north of Orso. The river Aldo is 740 kilometres long.",
    ("When was the town of Marlo in Orso founded?", "1642"),
    ("How long is the river Aldo in Orso?", "740"),
    title="Marlo",
)
GERMAN = {"model": "./en-de", "licence": "CC-BY-4.0", "back": {"model": "./de-en", "licence": "Apache-2.0"}}


@pytest.fixture
def pairs(project: Project) -> Project:
    """A project with checkpoints of OPUS-MT from English into German and back."""
    project.source("questions", [TOWN])
    opus(project.folder / "en-de")
    opus(project.folder / "de-en")
    names = {"tokenizer_class": "MarianTokenizer", "source_lang": "de", "target_lang": "en"}
    write_json(project.folder / "de-en" / "tokenizer_config.json", names)
    return project


def with_pairs(project: Project, **changes: object) -> Settings:
    return project.settings(translation={"max_target_tokens": 40, "models": {"de": GERMAN}, **changes})


def run_all(settings: Settings, store: Store) -> Outcome:
    return prepare(settings, store) + translate(settings, store) + filter_texts(settings, store)


def faults(store: Store, path: str) -> list[str]:
    return [str(fault) for fault in verify(Store(f"{store.url}/{path}", writable=False))]


def test_a_language_has_a_pair_of_models_of_its_own(pairs: Project, store: Store) -> None:
    settings = with_pairs(pairs)
    check_licences(settings)
    run_all(settings, store)
    plan = Plan(settings, store)
    names = {code: (there.name, back.name) for code, (there, back) in plan.models.items()}
    assert names == {"deu_Latn": ("en-de", "de-en"), "arb_Arab": ("sample", "sample")}
    assert plan.model.name == "sample"
    for code, source in (("deu_Latn", "there"), ("deu_Latn", "back"), ("arb_Arab", "there")):
        [unit] = plan.translated["questions", code]
        made = unit if source == "back" else unit.inputs["translated"]
        of_pack = made.inputs["translated"] if source == "back" else None
        origin, target = (LANGUAGES.find(code), ENGLISH) if source == "back" else (ENGLISH, LANGUAGES.find(code))
        engine = Engine(model_of(settings, code, "back" if source == "back" else "there"), settings.translation.of(code))
        for name, file in made.files.items():
            given = store.read_table(of_pack.result(store), f"{name}.parquet") if of_pack else store.read_file(file)
            written = store.read_table(made.result(store), f"{name}.parquet")["text"].to_pylist()
            assert written == [result.text for result in engine.translate(given["text"].to_pylist(), origin, target)]

    release = publish(settings, store)
    manifest = release.manifest
    there, back = (manifest["models"]["deu_Latn"][way] for way in ("there", "back"))
    assert list(manifest["models"]) == ["deu_Latn"]
    assert (manifest["model"]["name"], there["name"], back["name"]) == ("sample", "en-de", "de-en")
    assert there["fingerprint"] == plan.models["deu_Latn"][0].fingerprint != back["fingerprint"]
    assert manifest["licences"]["parts"] == {
        "source questions": "CC0-1.0",
        "model sample": manifest["model"]["licence"],
        "model en-de": "CC-BY-4.0",
        "model de-en": "Apache-2.0",
    }
    said = manifest["settings"]["translation"]
    assert (said["model"], said["back"], said["models"]["deu_Latn"]["model"]) == ("sample", None, "en-de")
    assert said["models"]["deu_Latn"]["back"]["model"] == "de-en"
    folder = Path(store.root) / release.path
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`sample` and other models, translated back" in card
    assert "| German | `en-de` | `de-en` |" in card
    assert all(f"| model {facts['name']} | `{facts['fingerprint']}` |" in card for facts in (manifest["model"], there, back))
    about = json.loads(pq.read_schema(folder / "pairs" / "00000.parquet").metadata[b"parallel-qa"])
    assert about["models"] == {"deu_Latn": {"there": there["fingerprint"], "back": back["fingerprint"]}}
    assert faults(store, release.path) == []

    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda manifest: manifest.pop("models"),
        lambda manifest: manifest["models"]["deu_Latn"]["back"].update(fingerprint="0" * 16),
        lambda manifest: manifest["models"]["deu_Latn"]["there"].update(licence="MIT"),
        lambda manifest: manifest["models"].update(arb_Arab=manifest["models"]["deu_Latn"]),
        lambda manifest: manifest["models"].update(fra_Latn=manifest["models"].pop("deu_Latn")),
    ]
    for number, change in enumerate(changes):
        copy = shutil.copytree(folder, Path(store.root) / f"changed-{number}")
        change_manifest(copy, change)
        assert any("statement" in fault for fault in faults(store, copy.name)), number


def test_only_what_another_model_makes_is_made_anew(pairs: Project, store: Store) -> None:
    plain = pairs.settings(translation={"max_target_tokens": 40})
    run_all(plain, store)
    first = publish(plain, store)
    assert "models" not in first.manifest
    settings = with_pairs(pairs)
    assert translate(settings, store) == Outcome(done=1, skipped=3)
    filter_texts(settings, store)
    second = publish(settings, store)
    changed = diff(*(Store(f"{store.url}/{release.path}", writable=False) for release in (first, second)))
    assert changed.settings["models.deu_Latn"][0] is None
    assert {code for (_, code), table in changed.texts.items() if table.changed or table.fates or table.scores} == {"deu_Latn"}


def test_candidates_are_of_the_model_that_is_to_choose_among_them(pairs: Project, store: Store) -> None:
    towns = [f"Marlo has {number} inhabitants. The river Aldo is {number} kilometres long." for number in range(100, 130)]
    pairs.source("questions", [article(town, (f"What is known of {number}?", "Marlo")) for number, town in enumerate(towns)])
    few = {"lessons": 30, "worth_from": 1.5, "checked_share": 0.3}
    settings = with_pairs(pairs, shard_sentences=30, candidates=few)
    prepare(settings, store)
    translate(settings, store)
    plan = Plan(settings, store)
    assert set(plan.candidates) == {"deu_Latn", "arb_Arab"}
    for code, unit in plan.candidates.items():
        there, back = (set(pieces) for pieces in read_candidates(store, unit))
        assert there <= set(vocabulary(model_of(settings, code).folder, "target"))
        assert back <= set(vocabulary(model_of(settings, code, "back").folder, "target"))
        assert (code in there, "eng_Latn" in back) == ((True, True) if code == "arb_Arab" else (False, False))
    among = [unit for unit in plan.translated["questions", "deu_Latn"] if "candidates" in unit.inputs]
    assert among and all(unit.inputs["translated"].result(store).facts["candidates"]["checked"] > 0 for unit in among)


def test_the_model_for_the_way_back_is_a_part_of_the_release(pairs: Project, store: Store) -> None:
    """What it wrote stands beside rejected texts."""
    shutil.copytree(SAMPLE, pairs.folder / "small", ignore=shutil.ignore_patterns("model.json"))
    back = {"model": str(pairs.folder / "small")}
    settings = pairs.settings(languages=["de"], translation={"max_target_tokens": 40, "back": back})
    run_all(settings, store)
    with pytest.raises(UserError, match=r"the licence of model 'small' is unknown: set translation\.back\.licence in the profile"):
        publish(settings, store)
    settings = pairs.settings(languages=["de"], translation={"max_target_tokens": 40, "back": back | {"licence": "CC-BY-NC-4.0"}})
    assert run_all(settings, store).done == 0
    release = publish(settings, store)
    assert release.manifest["licences"]["non_commercial"] == ["model small"]
    [both] = release.manifest["models"].values()
    assert (both["there"], both["back"]["name"]) == (release.manifest["model"], "small")
    assert release.manifest["settings"]["translation"]["back"]["model"] == "small"
    assert str(pairs.folder) not in json.dumps(release.manifest)
    assert faults(store, release.path) == []


def test_where_every_language_has_its_own_model_no_other_is_needed(pairs: Project, store: Store) -> None:
    settings = pairs.settings(languages=["de"], translation={"model": "./nowhere", "max_target_tokens": 40, "models": {"de": GERMAN}})
    run_all(settings, store)
    release = publish(settings, store)
    assert release.manifest["model"]["name"] == release.manifest["settings"]["translation"]["model"] == "en-de"
    assert set(release.manifest["licences"]["parts"]) == {"source questions", "model en-de", "model de-en"}
    assert faults(store, release.path) == []


def test_a_model_that_is_none_of_the_direction_is_named_before_any_work(pairs: Project, store: Store) -> None:
    settings = pairs.settings(translation={"models": {"de": {"model": "./de-en"}}})
    prepare(settings, store)
    with pytest.raises(UserError, match=r"model 'de-en' translates from deu_Latn to eng_Latn only, not from eng_Latn to deu_Latn"):
        translate(settings, store)
    unpinned = pairs.settings(translation={"models": {"de": {"back": {"model": "Helsinki-NLP/opus-mt-de-en"}}}})
    remedy = r"translation\.models\.deu_Latn\.back\.revision: pin Helsinki-NLP/opus-mt-de-en to a commit"
    with pytest.raises(UserError, match=remedy):
        translate(unpinned, store)
    with pytest.raises(UserError, match=remedy):
        check_licences(unpinned)
    assert list(store.walk("segments")) == []


def test_two_models_of_one_name_and_two_licences_are_told_apart(pairs: Project, store: Store) -> None:
    shutil.copytree(pairs.folder / "de-en", pairs.folder / "other" / "en-de")
    german = {"model": "./en-de", "licence": "CC-BY-4.0", "back": {"model": "./other/en-de", "licence": "MIT"}}
    settings = pairs.settings(languages=["de"], translation={"max_target_tokens": 40, "models": {"de": german}})
    run_all(settings, store)
    with pytest.raises(
        UserError, match=r"two models are called 'en-de', and their licences are CC-BY-4\.0 and MIT: rename the folder of one"
    ):
        publish(settings, store)
