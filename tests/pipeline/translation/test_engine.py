from __future__ import annotations

import ctranslate2
import pytest
import sentencepiece

from pipeline.errors import UserError
from pipeline.languages import ENGLISH, LANGUAGES
from pipeline.settings import TranslationSettings
from pipeline.translation.engine import Engine
from pipeline.translation.hub import SAMPLE
from pipeline.translation.models import SENTENCEPIECE, open_model

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
    assert all(result.mark is None for result in results)


def test_the_output_does_not_depend_on_the_batch_size() -> None:
    sentences = [f"The river Aldo is {number} kilometres long." for number in range(120, 200)] + SENTENCES
    outputs = [engine(max_batch_tokens=size, inter_threads=1).translate(sentences, ENGLISH, GERMAN) for size in (16, 200, 4096)]
    assert outputs[0] == outputs[1] == outputs[2]


def test_faults_that_only_the_engine_sees_are_marked() -> None:
    long = "The river Aldo is 740 kilometres long, " * 30
    results = engine(max_source_tokens=60).translate([long, SENTENCES[0]], ENGLISH, GERMAN)
    assert [result.mark for result in results] == ["source_too_long", None]
    assert results[0].text == ""
    assert [result.mark for result in engine(max_target_tokens=4).translate(SENTENCES[:2], ENGLISH, GERMAN)] == ["cut", None]


def test_a_language_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' does not know kor_Hang \(Korean\); it knows arb_Arab, deu_Latn"):
        engine().translate(SENTENCES, ENGLISH, LANGUAGES.find("ko"))


def test_a_device_or_type_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"model 'sample' cannot be loaded on cpu: "):
        engine(compute_type="float8")
