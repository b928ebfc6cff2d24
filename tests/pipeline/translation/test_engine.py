from __future__ import annotations

import json
from pathlib import Path

import ctranslate2
import pytest
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import TranslationSettings
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


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = engine().translate(SENTENCES, ENGLISH, GERMAN)
    short = engine(max_batch_tokens=512)
    real, sizes = short._translator, []

    class SmallMemory:
        """The real translator on a device with room for batches of 128 tokens."""

        def translate_batch(self, *arguments: object, max_batch_size: int, **options: object) -> object:
            sizes.append(max_batch_size)
            if max_batch_size > 128:

                class Failed:
                    def result(self) -> None:
                        raise RuntimeError("CUDA failed with error out of memory")

                return [Failed()]
            return real.translate_batch(*arguments, max_batch_size=max_batch_size, **options)

    monkeypatch.setattr(short, "_translator", SmallMemory())
    assert short.translate(SENTENCES, ENGLISH, GERMAN) == expected
    assert sizes == [512, 256, 128]


def test_the_best_batch_size_is_found_once_and_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path))
    monkeypatch.setattr(engines, "_CALIBRATE_FROM", 10)
    first = engine(inter_threads=1)
    first.translate(SENTENCES, ENGLISH, GERMAN)
    [size] = json.loads((tmp_path / "batch-tokens.json").read_text()).values()
    assert size == first.batch_tokens in (1024, 2048, 4096, 8192)
    (tmp_path / "batch-tokens.json").write_text((tmp_path / "batch-tokens.json").read_text().replace(str(size), "77"))
    assert engine(inter_threads=1).batch_tokens == 77
    assert engine(inter_threads=2).batch_tokens == 2048
    (tmp_path / "batch-tokens.json").write_text("damaged")
    assert engine(inter_threads=1).batch_tokens == 2048


def test_an_output_at_the_length_limit_is_marked() -> None:
    assert [result.fault for result in engine(max_target_tokens=4).translate(SENTENCES[:2], ENGLISH, GERMAN)] == ["cut", None]


def test_a_language_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' does not know kor_Hang \(Korean\); it knows arb_Arab, deu_Latn"):
        engine().translate(SENTENCES, ENGLISH, LANGUAGES.find("ko"))


def test_a_device_or_type_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' cannot be loaded on cpu: "):
        engine(compute_type="float8")
