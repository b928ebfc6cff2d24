from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import ctranslate2
import pytest
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import CandidateSettings, TranslationSettings
from parallel_qa.pipeline.translation import engine as engines
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import SENTENCEPIECE, open_model

GERMAN = LANGUAGES.find("de")
SENTENCES = [
    "When was the town of Marlo in Orso founded?",
    "1642",
    "The river Aldo is 740 kilometres long.",
    "How long is the river Aldo in Velu?",
    "",
    "https://example.org",
    "People all over Tambri know Tessi for its honey.",
]


def engine(**settings: object) -> Engine:
    return Engine(open_model(SAMPLE), TranslationSettings.model_validate(settings))


def test_the_output_is_that_of_the_bare_engine_and_in_order() -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(SAMPLE / SENTENCEPIECE))
    bare = ctranslate2.Translator(str(SAMPLE), compute_type="int8")
    expected = []
    for sentence in SENTENCES:
        if not any(map(str.isalpha, sentence)) or sentence.startswith("https"):
            expected.append(sentence)
            continue
        tokens = ["eng_Latn", *pieces.encode(sentence, out_type=str), "</s>"]
        output = bare.translate_batch([tokens], target_prefix=[["deu_Latn"]], beam_size=1)[0].hypotheses[0]
        assert output[0] == "deu_Latn"
        expected.append(pieces.decode(output[1:]))
    done: list[tuple[int, int]] = []
    results = engine(compute_type="int8").translate(SENTENCES, ENGLISH, GERMAN, lambda sentences, tokens: done.append((sentences, tokens)))
    assert [result.text for result in results] == expected
    assert sum(sentences for sentences, _ in done) == len(SENTENCES)
    assert all(result.fault is None for result in results)


def test_the_output_does_not_depend_on_the_batch_size() -> None:
    sentences = [f"The river Aldo is {number} kilometres long." for number in range(120, 200)] + SENTENCES
    outputs = [engine(max_batch_tokens=size, inter_threads=1).translate(sentences, ENGLISH, GERMAN) for size in (16, 200, 4096)]
    assert outputs[0] == outputs[1] == outputs[2]


def test_a_long_sentence_is_translated_clause_by_clause() -> None:
    clause = "The river Aldo is 740 kilometres long"
    one, many = engine(max_source_tokens=20).translate([clause, "; ".join([clause] * 30)], ENGLISH, GERMAN)
    assert many.text.count("740 Kilometer") == 30
    assert many.fault is None and many.text.count(one.text.rstrip(".")) >= 25


def test_each_output_has_its_mean_log_probability() -> None:
    results = engine().translate(SENTENCES, ENGLISH, GERMAN)
    assert [result.score is None for result in results] == [False, True, False, False, True, True, False]
    assert all(-5 < result.score <= 0 for result in results if result.score is not None)
    without = engine(log_probabilities=False).translate(SENTENCES, ENGLISH, GERMAN)
    assert [result.text for result in without] == [result.text for result in results]
    assert {result.score for result in without} == {None}


class SmallMemory:
    """A real translator on a device with room for batches of so many tokens."""

    def __init__(self, engine: Engine, room: int) -> None:
        self.real, self.room = engine._translator, room
        self.sizes: list[int] = []

    def translate_batch(self, parts: list[list[str]], max_batch_size: int, **options: object) -> object:
        self.sizes.append(max_batch_size)
        if max_batch_size <= self.room:
            return self.real.translate_batch(parts, max_batch_size=max_batch_size, **options)

        class Failed:
            def result(self) -> None:
                raise RuntimeError("CUDA failed with error out of memory")

        return [Failed() for _ in parts]


MANY = [f"The river Aldo is {number} kilometres long, and the river Bel {number + 1}." for number in range(400)]


@pytest.mark.parametrize(("start", "room", "used"), [(512, 128, [512, 256, 128]), (512, 256, [512, 256]), (16_384, 8_192, [16_384, 8_192])])
def test_out_of_memory_halves_the_batch_once_however_many_groups_are_under_way(
    monkeypatch: pytest.MonkeyPatch, start: int, room: int, used: list[int]
) -> None:
    expected = engine().translate(MANY, ENGLISH, GERMAN)
    short = engine(max_batch_tokens=start, inter_threads=1)
    memory = SmallMemory(short, room)
    monkeypatch.setattr(short, "_translator", memory)
    monkeypatch.setattr(engines, "_BATCHES_IN_GROUP", 2 if start < 1000 else 0.1)
    assert short.translate(MANY, ENGLISH, GERMAN) == expected
    assert sorted(set(memory.sizes), reverse=True) == used
    assert memory.sizes.count(start) > 1
    assert short.batch_tokens == room


def test_a_batch_that_never_fits_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    short = engine(max_batch_tokens=512)
    monkeypatch.setattr(short, "_translator", SmallMemory(short, 0))
    with pytest.raises(UserError, match="model 'sample': memory does not suffice on cpu for the smallest batch"):
        short.translate(MANY, ENGLISH, GERMAN)


def test_the_best_batch_size_is_found_once_in_the_course_of_the_work_and_remembered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path))
    expected = engine(max_batch_tokens=1024).translate(MANY, ENGLISH, GERMAN)
    monkeypatch.setattr(engines, "_DEFAULT_BATCH_TOKENS", {"cpu": 64})
    too_little = engine(inter_threads=1)
    assert too_little.translate(MANY[:40], ENGLISH, GERMAN) == expected[:40]
    assert too_little.batch_tokens == 64 and not (tmp_path / "batch-tokens.json").exists()
    monkeypatch.setattr(engines, "_WORTH_TRIALS", 2)
    first = engine(inter_threads=1)
    done: list[tuple[int, int]] = []
    assert first.translate(MANY, ENGLISH, GERMAN, lambda sentences, tokens: done.append((sentences, tokens))) == expected
    assert sum(sentences for sentences, _ in done) == len(MANY)  # nothing is translated twice
    [size] = json.loads((tmp_path / "batch-tokens.json").read_text()).values()
    assert size == first.batch_tokens in (32, 64, 128, 256)
    (tmp_path / "batch-tokens.json").write_text((tmp_path / "batch-tokens.json").read_text().replace(str(size), "77"))
    assert engine(inter_threads=1).batch_tokens == 77
    assert engine(inter_threads=2).batch_tokens == 64
    (tmp_path / "batch-tokens.json").write_text("damaged")
    assert engine(inter_threads=1).batch_tokens == 64


def test_an_endless_sentence_holds_up_no_others_and_comes_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = engine(usual_target_ratio=1000).translate(SENTENCES, ENGLISH, GERMAN)
    longest: list[int] = []
    short = engine(usual_target_ratio=0.01)
    send = short._send
    monkeypatch.setattr(engines, "_MORE_TOKENS", 10)
    monkeypatch.setattr(short, "_send", lambda *given: longest.append(given[3]) or send(*given))
    assert short.translate(SENTENCES, ENGLISH, GERMAN) == expected
    assert longest == [10, 400]


def test_candidates_with_all_that_is_needed_change_nothing_and_others_are_not_written() -> None:
    expected = engine().translate(SENTENCES, ENGLISH, GERMAN)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(SAMPLE / SENTENCEPIECE))
    needed = {piece for translation in expected for piece in pieces.encode(translation.text, out_type=str)}
    settings, model = TranslationSettings(), open_model(SAMPLE)
    among = Engine(model, settings, ["deu_Latn", *sorted(needed)])
    assert [made.text for made in among.translate(SENTENCES, ENGLISH, GERMAN)] == [made.text for made in expected]
    assert among.translate(SENTENCES, ENGLISH, GERMAN, all_pieces=True) == expected
    assert [made.text for made in among.translate(SENTENCES, ENGLISH, GERMAN)] == [made.text for made in expected]  # now and then again
    few = ["deu_Latn", "▁Fluss"]
    written = Engine(model, settings, few).translate(SENTENCES[2:4], ENGLISH, GERMAN)
    assert {made.text.replace("deu_Latn", "").replace("Fluss", "").strip() for made in written} == {""}


def test_what_looks_like_a_fault_is_made_again_with_all_pieces() -> None:
    settings = TranslationSettings(candidates=CandidateSettings(min_log_probability=-0.05))
    among = Engine(open_model(SAMPLE), settings, ["deu_Latn", "▁Fluss"])
    assert among.translate(SENTENCES, ENGLISH, GERMAN) == engine().translate(SENTENCES, ENGLISH, GERMAN)


def test_an_output_at_the_length_limit_is_marked() -> None:
    assert [result.fault for result in engine(max_target_tokens=4).translate(SENTENCES[:2], ENGLISH, GERMAN)] == ["cut", None]


def test_a_language_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' does not know kor_Hang \(Korean\); it knows arb_Arab, deu_Latn"):
        engine().translate(SENTENCES, ENGLISH, LANGUAGES.find("ko"))


def test_a_search_is_that_of_the_bare_engine_and_its_scores_stay_means() -> None:
    search = {"beam_size": 4, "length_penalty": 0.4, "patience": 2.0, "repetition_penalty": 1.1, "no_repeat_ngram_size": 4}
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(SAMPLE / SENTENCEPIECE))
    bare = ctranslate2.Translator(str(SAMPLE), compute_type="int8")
    sentences = [SENTENCES[0], SENTENCES[2], SENTENCES[6]]
    made = engine(compute_type="int8", hypotheses=2, **search).translate(sentences, ENGLISH, GERMAN)
    for sentence, translation in zip(sentences, made, strict=True):
        tokens = ["eng_Latn", *pieces.encode(sentence, out_type=str), "</s>"]
        [best] = bare.translate_batch([tokens], target_prefix=[["deu_Latn"]], return_scores=True, **search)
        assert translation.text == pieces.decode(best.hypotheses[0][1:])
        length = len(best.hypotheses[0]) + 1
        assert translation.score == pytest.approx(best.scores[0] * length**0.4 / length, abs=1e-4)


@pytest.mark.parametrize(
    ("hypotheses", "limit", "text"),
    [
        ([["▁Fluss"], ["▁Stadt"]], 400, "Fluss"),
        ([["<unk>", "▁Fluss"], ["▁Stadt"]], 400, "Stadt"),
        ([[], ["<unk>"], ["▁Stadt"]], 400, "Stadt"),
        ([["▁Fluss"] * 9, ["▁Stadt"]], 10, "Stadt"),
        ([["<unk>", "▁Fluss"], ["<unk>", "▁Stadt"]], 400, "Fluss"),
    ],
)
def test_the_first_hypothesis_without_a_fault_is_taken(hypotheses: list[list[str]], limit: int, text: str) -> None:
    scores = [-1.0 - number for number in range(len(hypotheses))]
    found = SimpleNamespace(hypotheses=[["deu_Latn", *tokens] for tokens in hypotheses], scores=scores)
    searching = engine(max_target_tokens=limit, beam_size=3, hypotheses=3)
    output = searching._best(found, 1, limit)
    assert searching._whole([output], GERMAN).text == text
    assert output[1] == scores[hypotheses.index(output[0])]


def test_a_model_whose_vocabulary_cannot_be_restricted_runs_without_candidates_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "file"))  # where the map would have to lie
    model = dataclasses.replace(open_model(SAMPLE), name="of one file")
    for _ in range(2):
        among = Engine(model, TranslationSettings(), ["deu_Latn", "▁Fluss"])
        assert not among.restricted
        assert among.translate(SENTENCES, ENGLISH, GERMAN) == engine().translate(SENTENCES, ENGLISH, GERMAN)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1
    assert said[0].startswith("model 'of one file' decodes among all pieces, as its vocabulary cannot be restricted: [Errno 20]")


def test_a_map_of_the_models_own_stays_as_it_is(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLE, tmp_path / "model")
    (folder / "vmap.txt").write_text("\t▁Stadt\n", encoding="utf-8")
    among = Engine(open_model(folder), TranslationSettings(), ["deu_Latn", "▁Fluss"])
    assert among.restricted
    assert "Stadt" not in among.translate(SENTENCES[:1], ENGLISH, GERMAN)[0].text
    assert (folder / "vmap.txt").read_text(encoding="utf-8") == "\t▁Stadt\n"


def test_a_device_or_type_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' cannot be loaded on cpu: "):
        engine(compute_type="float8")
