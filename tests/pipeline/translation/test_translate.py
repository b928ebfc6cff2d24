from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.languages import LANGUAGES
from pipeline.progress import LogProgress
from pipeline.settings import HOUSE
from pipeline.sources.download import download
from pipeline.sources.download import units as download_units
from pipeline.store import Store
from pipeline.translation import segment
from pipeline.translation.translate import DATA, translate, units
from pipeline.work import Outcome
from tests.conftest import Run
from tests.project import Project, article

TOWN = article(
    "Marlo is a small town in the north of Orso. The river Aldo is 740 kilometres long.\nThe town was founded in 1642 "
    "and has about 4300 inhabitants.  1234.",
    ("When was the town of Marlo in Orso founded?", "1642"),
    ("How long is the river Aldo in Orso?", "740"),
    title="Marlo",
)
RIVER = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")


def test_every_sentence_is_translated_once_and_texts_point_at_them(project: Project, store: Store) -> None:
    project.source("questions", [TOWN, RIVER])
    settings = project.settings(languages=["de"])
    download(settings, store)
    translate(settings, store)
    record = segment.units(settings, store)[0].result(store)
    sentences = store.read_tables(record, "sentences")["text"].to_pylist()
    assert len(sentences) == len(set(sentences))
    assert sentences.count("The river Aldo is 740 kilometres long.") == 1
    passages = store.read_tables(record, "passages").to_pylist()
    assert [[sentences[row] for row in passage["text"]] for passage in passages] == [
        [
            "Marlo is a small town in the north of Orso.",
            "The river Aldo is 740 kilometres long.",
            "The town was founded in 1642 and has about 4300 inhabitants.",
            "1234.",
        ],
        ["The river Aldo is 740 kilometres long."],
    ]
    assert passages[0]["gaps"] == ["", " ", "\n", " ", ""]
    unit = units(settings, store)[0]
    forward = store.read_table(unit.inputs["translated"].result(store), DATA)
    assert forward.num_rows == len(sentences)
    assert forward["text"][sentences.index("1234.")].as_py() == "1234."
    assert "740 Kilometer" in forward["text"][sentences.index("The river Aldo is 740 kilometres long.")].as_py()
    back = store.read_table(unit.result(store), DATA)
    assert "740 kilometres" in back["text"][sentences.index("The river Aldo is 740 kilometres long.")].as_py()


def test_each_passage_of_xquad_is_one_text_and_each_sentence_one_unit_of_translation(project: Project, store: Store, xquad: Path) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0")
    settings = project.settings(languages=["de"])
    download(settings, store)
    english = download_units(settings)[0].result(store)
    assert (english.rows("queries"), english.rows("passages"), english.rows("pairs")) == (1185, 240, 1185)
    assert english.facts["rows"] == {"read": 1190, "kept": 1185, "rejected": {"duplicate": 5}}
    for unit in segment.units(settings, store):
        segment.do(settings, store, unit, LogProgress())
        sentences = store.read_tables(unit.result(store), "sentences")["text"].to_pylist()
        assert len(sentences) == len(set(sentences)) < 2600


def test_only_what_is_new_is_done(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    settings = project.settings(languages=["de"])
    download(settings, store)
    assert translate(settings, store) == Outcome(done=2)
    assert translate(settings, store) == Outcome(skipped=2)
    assert translate(project.settings(languages=["de", "ar"]), store) == Outcome(done=1, skipped=2)
    faster = project.settings(languages=["de"], translation={"inter_threads": 1, "max_batch_tokens": 64})
    assert translate(faster, store) == Outcome(skipped=2)
    assert translate(project.settings(languages=["de"], translation={"beam_size": 2}), store) == Outcome(done=1, skipped=1)


def test_shards_line_up_with_their_sentences(sample_run: Run) -> None:
    planned = units(sample_run.settings, sample_run.store)
    shards = {unit.shard for unit in planned}
    assert len(shards) > 2
    assert len(planned) == len(shards) * 3
    for unit in planned:
        record = unit.inputs["translated"].inputs["sentences"].result(sample_run.store)
        rows = record.files[f"sentences/{unit.shard:05d}.parquet"].rows
        assert unit.result(sample_run.store).files[DATA].rows == unit.inputs["translated"].result(sample_run.store).files[DATA].rows == rows


def test_an_earlier_stage_that_was_not_run_is_named(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    with pytest.raises(UserError, match=r"english/questions has not been made with these settings: run the earlier stages first"):
        translate(project.settings(), store)


def test_a_language_that_the_model_does_not_know_is_named_before_any_work(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    settings = project.settings(languages=["ko"])
    download(settings, store)
    with pytest.raises(UserError, match="model 'sample' does not know kor_Hang"):
        units(settings, store)


def test_the_sample_model_knows_the_languages_of_its_profile() -> None:
    codes = json.loads((HOUSE / "pipeline/sample/model/shared_vocabulary.json").read_text(encoding="utf-8"))
    assert all(LANGUAGES.find(tag).code in codes for tag in ("en", "de", "es", "ru", "hi", "ar", "zh", "th", "tr", "sw"))
