"""Each family of models, from a checkpoint of its own, converted for real and run through the one interface."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import ctranslate2
import pytest
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.conversion import convert
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.families import FAMILIES, M2M, NLLB, OPUS, family_of
from tests.family_checkpoints import m2m100, madlad, opus

GERMAN, TRADITIONAL = LANGUAGES.find("de"), LANGUAGES.find("zho_Hant")
SENTENCE = "The river is long and the town is old."
SETTINGS = TranslationSettings(max_target_tokens=30, max_batch_tokens=256, compute_type="float32")

CASES: dict[str, tuple[Callable[[Path], Path], list[str], list[str]]] = {
    "m2m100": (m2m100, ["__en__"], ["__de__"]),
    "madlad400": (madlad, ["<2de>"], []),
    "opus-mt": (opus, [], []),
    "opus-mt with several targets": (partial(opus, targets=(">>deu<<", ">>cmn_Hant<<")), [">>deu<<"], []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_family_is_told_its_languages_in_its_own_way(name: str, tmp_path: Path) -> None:
    make, before, prefix = CASES[name]
    model = convert(make(tmp_path / "checkpoint"), tmp_path / "model", name="tiny", licence=None, quantization="float32")
    assert model.family == FAMILIES[name.split(" ")[0]]
    assert model.licence == {"m2m100": "MIT", "madlad400": "Apache-2.0"}.get(name)
    encoder, decoder = (sentencepiece.SentencePieceProcessor(model_file=str(path)) for path in model.pieces)
    bare = ctranslate2.Translator(str(model.folder), compute_type="float32")
    tokens = [*before, *encoder.encode(SENTENCE, out_type=str), "</s>"]
    output = bare.translate_batch([tokens], target_prefix=[prefix] if prefix else None, beam_size=1, max_decoding_length=30)[0].hypotheses[
        0
    ]
    assert output[: len(prefix)] == prefix
    expected = decoder.decode([piece for piece in output[len(prefix) :] if piece != "<unk>"]).strip()
    [translation] = Engine(model, SETTINGS).translate([SENTENCE], ENGLISH, GERMAN)
    assert translation.text == expected


def test_an_opus_model_of_one_pair_translates_that_way_only(tmp_path: Path) -> None:
    model = convert(opus(tmp_path / "checkpoint"), tmp_path / "model", name="tiny", licence="CC-BY-4.0", quantization="int8")
    model.check_direction(ENGLISH, GERMAN)
    with pytest.raises(UserError, match=r"model 'tiny' translates from eng_Latn to deu_Latn only, not from deu_Latn to eng_Latn"):
        model.check_direction(GERMAN, ENGLISH)


def test_a_model_with_one_chinese_is_not_taken_for_the_other(tmp_path: Path) -> None:
    model = convert(m2m100(tmp_path / "checkpoint"), tmp_path / "model", name="tiny", licence=None, quantization="int8")
    model.check_direction(ENGLISH, LANGUAGES.find("zho_Hans"))
    with pytest.raises(UserError, match=r"model 'tiny' does not know zho_Hant"):
        model.check_direction(ENGLISH, TRADITIONAL)


def test_families_are_told_apart_by_their_vocabulary() -> None:
    assert family_of("m2m_100", ["eng_Latn", "deu_Latn", "▁a"]) is NLLB
    assert family_of("m2m_100", ["__en__", "__de__", "▁a"]) is M2M
    assert family_of("marian", ["▁a"]) is OPUS
    assert family_of("bart", ["▁a"]) is None


def test_an_opus_checkpoint_that_does_not_name_its_languages_is_refused(tmp_path: Path) -> None:
    checkpoint = opus(tmp_path / "checkpoint")
    (checkpoint / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}')
    with pytest.raises(UserError, match=r"tokenizer_config\.json does not say which two languages the model is for: add source_lang"):
        convert(checkpoint, tmp_path / "model", name="tiny", licence=None, quantization="int8")
    assert not (tmp_path / "model").exists()
