from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.filter import decide, filter_texts, shards
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.sources.prepare import download
from parallel_qa.pipeline.sources.prepare import units as download_units
from parallel_qa.pipeline.store import Store, sha256_of
from parallel_qa.pipeline.translation import segment
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.sentences import needs_model
from parallel_qa.pipeline.translation.translate import DATA, model_of, translate, units
from parallel_qa.pipeline.work import Outcome
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


def test_a_cheaper_model_can_do_the_way_back(project: Project, store: Store, tmp_path: Path) -> None:
    project.source("questions", [TOWN])
    shutil.copytree(SAMPLE, project.folder / "small")
    description = json.loads((SAMPLE / "model.json").read_text(encoding="utf-8"))
    (project.folder / "small" / "config.json").write_text((SAMPLE / "config.json").read_text(encoding="utf-8") + " ", encoding="utf-8")
    description["sha256"]["config.json"] = sha256_of(project.folder / "small" / "config.json")
    (project.folder / "small" / "model.json").write_text(json.dumps(description), encoding="utf-8")
    one = project.settings(languages=["de"])
    download(one, store)
    assert translate(one, store) == Outcome(done=2)
    other = project.settings(languages=["de"], translation={"back": {"model": "small"}})
    assert translate(other, store) == Outcome(done=1, skipped=1)
    [first], [second] = units(one, store), units(other, store)
    assert first.inputs["translated"].fingerprint == second.inputs["translated"].fingerprint  # the way there is not done again
    assert first.fingerprint != second.fingerprint


def test_a_share_of_the_texts_is_translated_back(project: Project, store: Store) -> None:
    towns = [f"The river Aldo is {number} kilometres long." for number in range(100, 300)]
    project.source("questions", [article(town, (f"What is known of {number}?", "Aldo")) for number, town in enumerate(towns)])
    settings = project.settings(languages=["de"], translation={"back_share": 0.25})
    download(settings, store)
    translate(settings, store)
    filter_texts(settings, store)
    [shard] = [shard for shard in shards(settings, store) if shard.key[2] == "passages"]
    scored = shard.read(store)
    assert 25 < scored.num_rows - scored["chrf"].null_count < 80
    assert scored["back_translation"].null_count == scored["chrf"].null_count
    assert scored["log_probability"].null_count == 0
    assert all(reason != "round_trip" or score is not None for reason, score in zip(
        decide(settings, store)[("questions", "deu_Latn", "passages")], scored["chrf"].to_pylist(), strict=True
    ))  # fmt: skip


def test_the_tokens_of_xquad_are_those_of_its_unique_sentences(project: Project, store: Store, xquad: Path) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0", limit=8)
    settings = project.settings(languages=["de"], translation={"back_share": 0, "max_target_tokens": 2})
    download(settings, store)
    segmented = segment.units(settings, store)[0]
    segment.do(settings, store, segmented, LogProgress())
    sentences = [text for text in store.read_tables(segmented.result(store), "sentences")["text"].to_pylist() if needs_model(text)]
    sent: list[int] = []
    model = model_of(settings)
    engine = Engine(model, settings.translation)
    real = engine._translator

    class Counted:
        """The real translator; counts the tokens that it is given."""

        def translate_batch(self, batch: list[list[str]], **options: object) -> object:
            sent.extend(map(len, batch))
            return real.translate_batch(batch, **options)

    engine._translator = Counted()
    engine.translate(store.read_tables(segmented.result(store), "sentences")["text"].to_pylist(), ENGLISH, LANGUAGES.find("de"))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[0]))
    assert len(sent) == len(sentences) == len(set(sentences))
    assert sum(sent) == sum(len(encoded) + 2 for encoded in pieces.encode(sentences))


def test_a_changed_source_costs_its_new_sentences_only(project: Project, store: Store, tmp_path: Path) -> None:
    towns = [f"The river Aldo is {number} kilometres long." for number in range(100, 130)]

    def written(texts: list[str], into: Store) -> int:
        """Translate a source of `texts`; the tokens that the model wrote for it."""
        project.source("questions", [article(text, (f"What is known of {number}?", "Aldo")) for number, text in enumerate(texts)])
        settings = project.settings(languages=["de"], translation={"shard_sentences": 20})
        before = {(record.path, record.fingerprint) for record in into.records("back_translated")}
        download(settings, into)
        translate(settings, into)
        new = [record for record in into.records("back_translated") if (record.path, record.fingerprint) not in before]
        return sum(record.facts["tokens"] for record in new)

    everything = written(towns, store)
    changed = ["The river Aldo freezes every winter.", *towns]  # in front, so that every sentence moves
    added = written(changed, store)
    assert 0 < added < everything / 5
    alone = Store(str(tmp_path / "alone"))
    written(changed, alone)
    for unit in units(project.settings(languages=["de"], translation={"shard_sentences": 20}), store):
        assert store.read_table(unit.result(store), DATA) == alone.read_table(unit.result(alone), DATA)
