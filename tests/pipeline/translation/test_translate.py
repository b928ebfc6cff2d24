from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE, Settings
from parallel_qa.pipeline.store import FileRef, Store, sha256_of
from parallel_qa.pipeline.translation import segment
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE, ModelFacts
from parallel_qa.pipeline.translation.packs import Pack
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.translation.sentences import needs_model
from parallel_qa.pipeline.translation.translate import file_name, part_of_work, units
from parallel_qa.pipeline.work import Outcome, Unit
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


def sentences_of(store: Store, unit: Unit) -> list[str]:
    """The sentences of a segmented shard."""
    texts: list[str] = store.read_tables(unit.result(store), "sentences")["text"].to_pylist()
    return texts


def translations_of(store: Store, unit: Unit) -> dict[str, str]:
    """What a unit of translations makes of the sentences of its pack."""
    record = unit.result(store)
    return {
        text: translation
        for name, file in unit.files.items()
        for text, translation in zip(
            store.read_file(file)["text"].to_pylist(), store.read_table(record, file_name(name))["text"].to_pylist(), strict=True
        )
    }


def test_every_sentence_is_translated_once_and_texts_point_at_them(project: Project, store: Store) -> None:
    project.source("questions", [TOWN, RIVER])
    settings = project.settings(languages=["de"])
    prepare(settings, store)
    translate(settings, store)
    plan = Plan(settings, store)
    queries, passages = plan.segmented["questions", ENGLISH.code]
    assert (queries.table, passages.table) == ("queries", "passages")
    sentences = sentences_of(store, passages)
    assert len(sentences) == len(set(sentences))
    assert sentences.count("The river Aldo is 740 kilometres long.") == 1
    texts = store.read_table(passages.result(store), segment.TEXTS).to_pylist()
    assert [[sentences[row] for row in text["text"]] for text in texts] == [
        [
            "Marlo is a small town in the north of Orso.",
            "The river Aldo is 740 kilometres long.",
            "The town was founded in 1642 and has about 4300 inhabitants.",
            "1234.",
        ],
        ["The river Aldo is 740 kilometres long."],
    ]
    assert [[sentences[row] for row in text["title"]] for text in texts] == [["Marlo"], ["Aldo"]]
    assert texts[0]["gaps"] == ["", " ", "\n", " ", ""]
    [unit] = plan.translated["questions", "deu_Latn"]
    forward, back = translations_of(store, unit.inputs["translated"]), translations_of(store, unit)
    assert set(forward) == {*sentences, *sentences_of(store, queries)}
    assert forward["1234."] == "1234."
    assert "740 Kilometer" in forward["The river Aldo is 740 kilometres long."]
    assert "740 kilometres" in back["The river Aldo is 740 kilometres long."]


def test_each_passage_of_xquad_is_one_text_and_each_sentence_one_unit_of_translation(project: Project, store: Store, xquad: Path) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0")
    settings = project.settings(languages=["de"])
    prepare(settings, store)
    plan = Plan(settings, store)
    [english] = plan.english_records().values()
    assert (english.rows("queries"), english.rows("passages"), english.rows("pairs")) == (1185, 240, 1185)
    assert english.facts["rows"] == {"read": 1190, "kept": 1185, "rejected": {"duplicate": 5}}
    assert [(unit.table, unit.shard) for unit in plan.segmented["questions", ENGLISH.code]] == [("queries", 0), ("passages", 0)]
    counts = []
    for unit in plan.segmented["questions", ENGLISH.code]:
        segment.do(settings, store, unit, LogProgress())
        sentences = sentences_of(store, unit)
        assert len(sentences) == len(set(sentences))
        counts.append(len(sentences))
    assert 1185 <= counts[0] < 1300 and 1000 < counts[1] < 1400


def test_only_what_is_new_is_done(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    settings = project.settings(languages=["de"])
    prepare(settings, store)
    # the shard of queries and that of passages are split, and translated as one pack
    assert translate(settings, store) == Outcome(done=3)
    assert translate(settings, store) == Outcome(skipped=3)
    assert translate(project.settings(languages=["de", "ar"]), store) == Outcome(done=1, skipped=3)
    faster = project.settings(languages=["de"], translation={"inter_threads": 1, "max_batch_tokens": 64})
    assert translate(faster, store) == Outcome(skipped=3)
    assert translate(project.settings(languages=["de"], translation={"beam_size": 2}), store) == Outcome(done=1, skipped=2)


GREEDY, BEAMS = {"max_target_tokens": 100}, {"beam_size": 4, "repetition_penalty": 1.2, "no_repeat_ngram_size": 3}


@pytest.mark.parametrize(
    ("translation", "forward", "back"),
    [
        ({}, "504dbcf978c9bd31", "913cd7f90129a50d"),
        (BEAMS, "8bd481142b3932e4", "72a0f48b371792f8"),
        ({**GREEDY, "back": {"model": "small"}}, "be424c0292e49019", "70aae6b48f2b0e89"),
        ({"beam_size": 4, "back": {"model": "small"}}, "8f5fd5c985a9a44c", "0558d189cf3e34db"),
    ],
)
def test_units_of_settings_that_older_versions_know_are_the_same(project: Project, translation: object, forward: str, back: str) -> None:
    """Nothing that a store holds is translated again."""
    [unit] = units_of(project, translation=translation)
    assert (unit.inputs["translated"].fingerprint, unit.fingerprint) == (forward, back)


def units_of(project: Project, **settings: object) -> list[Unit]:
    """The units of German for a pack of one file, by models a and b."""
    models = (ModelFacts("a", "a" * 16, "MIT", "int8"), ModelFacts("b", "b" * 16, "MIT", "int8"))
    pack = Pack("s", 0, ENGLISH.code, {"queries/00000/00000": FileRef("segments/x", "c" * 64, 5)})
    return units(project.settings(languages=["de"], **settings), models, "deu_Latn", [pack])


def test_the_search_of_a_direction_is_part_of_its_units_alone(project: Project) -> None:
    def fingerprints(**translation: object) -> tuple[str, str]:
        [unit] = units_of(project, translation=translation)
        return unit.inputs["translated"].fingerprint, unit.fingerprint

    greedy = fingerprints()
    assert fingerprints(back={"beam_size": 1}) == fingerprints(models={"de": {"beam_size": 1}}) == greedy
    for search in ({"length_penalty": 0.5}, {"beam_size": 2, "patience": 2}, {"beam_size": 2, "hypotheses": 2}):
        both, there, back = (
            fingerprints(**search),
            fingerprints(**search, back={"beam_size": 1, "length_penalty": 1}),
            fingerprints(back=search),
        )
        assert both[0] == there[0] != greedy[0] == back[0]
        assert len({both[1], there[1], back[1], greedy[1]}) == 4  # what is translated back is another text


def test_packs_line_up_with_their_sentences(sample_run: Run) -> None:
    plan, store = Plan(sample_run.settings, sample_run.store), sample_run.store
    packs = plan.packs["questions", ENGLISH.code]
    assert len(packs) > 2
    assert sorted(plan.translated) == sorted(("questions", code) for code in sample_run.settings.languages)
    for made in plan.translated.values():
        assert [unit.files for unit in made] == [pack.files for pack in packs]
        for unit in made:
            rows = {file_name(name): file.rows for name, file in unit.files.items()}
            assert sum(rows.values()) <= 40
            for record in (unit.result(store), unit.inputs["translated"].result(store)):
                assert {name: file.rows for name, file in record.files.items()} == rows


def test_an_earlier_stage_that_was_not_run_is_named(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    with pytest.raises(UserError, match=r"english/questions has not been made with these settings: run the earlier stages first"):
        translate(project.settings(), store)


def test_a_language_that_the_model_does_not_know_is_named_before_any_work(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    settings = project.settings(languages=["ko"])
    prepare(settings, store)
    with pytest.raises(UserError, match="model 'sample' does not know kor_Hang"):
        translate(settings, store)
    assert list(store.walk("segments")) == []


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
    prepare(one, store)
    assert translate(one, store) == Outcome(done=3)
    other = project.settings(languages=["de"], translation={"back": {"model": "small"}})
    assert translate(other, store) == Outcome(done=1, skipped=2)
    [first], [second] = (Plan(settings, store).translated["questions", "deu_Latn"] for settings in (one, other))
    assert first.inputs["translated"].fingerprint == second.inputs["translated"].fingerprint  # the way there is not done again
    assert first.fingerprint != second.fingerprint


def test_a_share_of_the_texts_is_translated_back(project: Project, store: Store) -> None:
    towns = [f"The river Aldo is {number} kilometres long." for number in range(100, 300)]
    project.source("questions", [article(town, (f"What is known of {number}?", "Aldo")) for number, town in enumerate(towns)])
    settings = project.settings(languages=["de"], translation={"back_share": 0.25})
    prepare(settings, store)
    translate(settings, store)
    filter_texts(settings, store)
    [shard] = [shard for shard in Plan(settings, store).scored_shards if shard.table == "passages"]
    scored = shard.read(store)
    assert 25 < scored.num_rows - scored["chrf"].null_count < 80
    assert scored["back_translation"].null_count == scored["chrf"].null_count
    assert scored["log_probability"].null_count == 0
    reasons = policy.reasons(scored, shard.english(store), settings.filters.of("deu_Latn", "passages"))
    assert all(reason != "round_trip" or score is not None for reason, score in zip(reasons, scored["chrf"].to_pylist(), strict=True))


def test_the_tokens_of_xquad_are_those_of_its_unique_sentences(project: Project, store: Store, xquad: Path) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0", limit=8)
    settings = project.settings(languages=["de"], translation={"back_share": 0, "max_target_tokens": 2})
    prepare(settings, store)
    texts: list[str] = []
    for unit in Plan(settings, store).segmented["questions", ENGLISH.code]:
        segment.do(settings, store, unit, LogProgress())
        texts += sentences_of(store, unit)
    sentences = [text for text in texts if needs_model(text)]
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
    engine.translate(texts, ENGLISH, LANGUAGES.find("de"))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[0]))
    assert len(sent) == len(sentences) == len(set(sentences))
    assert sum(sent) == sum(len(encoded) + 2 for encoded in pieces.encode(sentences))


def test_a_changed_source_costs_its_new_sentences_only(project: Project, store: Store, tmp_path: Path) -> None:
    towns = [f"The river Aldo is {number} kilometres long." for number in range(100, 130)]

    def settings_of(texts: list[str]) -> Settings:
        project.source("questions", [article(text, (f"What is known of {number}?", "Aldo")) for number, text in enumerate(texts)])
        return project.settings(languages=["de"], translation={"shard_sentences": 20})

    def written(texts: list[str], into: Store) -> int:
        """Translate a source of `texts`; the tokens that the model wrote for it."""
        settings = settings_of(texts)
        before = {(record.path, record.fingerprint) for record in into.records("back_translated")}
        prepare(settings, into)
        translate(settings, into)
        new = [record for record in into.records("back_translated") if (record.path, record.fingerprint) not in before]
        return sum(record.facts["tokens"] for record in new)

    everything = written(towns, store)
    changed = ["The river Aldo freezes every winter.", *towns]  # in front, so that every sentence moves
    added = written(changed, store)
    assert 0 < added < everything / 5
    alone = Store(str(tmp_path / "alone"))
    written(changed, alone)
    settings = settings_of(changed)
    units = Plan(settings, store).translated["questions", "deu_Latn"]
    assert len(units) == 4
    for unit in units:
        assert {name: file.sha256 for name, file in unit.result(store).files.items()} == {
            name: file.sha256 for name, file in unit.result(alone).files.items()
        }


def test_a_part_of_the_work_is_a_number_of_so_many() -> None:
    assert (part_of_work("1/1"), part_of_work("2/3")) == ((1, 1), (2, 3))
    for wrong in ("0/2", "3/2", "2", "a/b", "1/2/3", "-1/2", ""):
        with pytest.raises(UserError, match="is no part of the work: write 1/2 and 2/2 for two workers"):
            part_of_work(wrong)
