"""A cut model does what the whole one does wherever that needs no other piece."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import sentencepiece
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.conversion import convert
from parallel_qa.pipeline.translation.cutting import cut_model
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import Model, open_model, vocabulary
from parallel_qa.pipeline.translation.scoring import Scorer
from tests.family_checkpoints import m2m100, madlad, opus
from tests.nllb_checkpoint import make_checkpoint

GERMAN = LANGUAGES.find("de")
SENTENCES = [f"The river {name} is {number} kilometres long." for name in ("Aldo", "Bel") for number in range(300, 330)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cut-models"


def pieces_of(model: Model, texts: list[str]) -> set[str]:
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    return {piece for encoded in encoder.encode(texts, out_type=str) for piece in encoded}


def sample_cut_to_what_german_needs() -> tuple[Model, Model]:
    model = open_model(SAMPLE)
    translated = Engine(model, TranslationSettings()).translate(SENTENCES, ENGLISH, GERMAN)
    return model, cut_model(model, GERMAN, pieces_of(model, [translation.text for translation in translated]))


def bare(model: Model, compute_type: str) -> ctranslate2.TranslationResult:
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[0]))
    batch = [["eng_Latn", *encoded, "</s>"] for encoded in encoder.encode(SENTENCES, out_type=str)]
    translator = ctranslate2.Translator(str(model.folder), compute_type=compute_type)
    return translator.translate_batch(batch, [["deu_Latn"]] * len(batch), beam_size=1, return_scores=True, return_logits_vocab=True)


def logits(results: ctranslate2.TranslationResult) -> NDArray[np.float32]:
    """Of all steps of all outputs, the pieces of the vocabulary side by side."""
    return np.concatenate([np.array(step).reshape(1, -1) for result in results for step in result.logits[0]])


@pytest.mark.parametrize(("compute_type", "difference"), [("int8", 0), ("float32", 1e-4)])
def test_outputs_and_logits_are_those_of_the_whole_model(compute_type: str, difference: float) -> None:
    whole, cut = sample_cut_to_what_german_needs()
    written, kept = vocabulary(whole.folder), vocabulary(cut.folder, "target")
    assert len(kept) < len(written) / 10
    assert kept == [piece for piece in written if piece in set(kept)]
    assert {"<s>", "<pad>", "</s>", "<unk>", "deu_Latn"} <= set(kept) and "fra_Latn" not in kept
    of_whole, of_cut = bare(whole, compute_type), bare(cut, compute_type)
    assert [result.hypotheses for result in of_cut] == [result.hypotheses for result in of_whole]
    rows = [written.index(piece) for piece in kept]
    assert np.abs(logits(of_whole)[:, rows] - logits(of_cut)).max() <= difference


def test_a_log_probability_is_higher_by_what_the_left_out_pieces_had() -> None:
    """Of a softmax over fewer pieces; `-log` of the share that the whole model gives to those that stay."""
    whole, cut = sample_cut_to_what_german_needs()
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(whole.pieces[0]))
    source = ["eng_Latn", *encoder.encode(SENTENCES[0], out_type=str), "</s>"]
    translators = [ctranslate2.Translator(str(model.folder), compute_type="float32") for model in (whole, cut)]
    [output] = translators[0].translate_batch([source], [["deu_Latn"]], beam_size=1)[0].hypotheses
    [steps] = translators[0].translate_batch([source], [["deu_Latn"]], beam_size=1, return_logits_vocab=True)[0].logits
    probabilities = [np.exp(np.array(step, dtype=np.float64).ravel()) for step in steps]
    rows = [vocabulary(whole.folder).index(piece) for piece in vocabulary(cut.folder, "target")]
    shares = np.array([step[rows].sum() / step.sum() for step in probabilities])
    of_whole, of_cut = (translator.score_batch([source], [output])[0].log_probs for translator in translators)
    higher = (np.array(of_cut) - np.array(of_whole))[-len(shares) :]
    assert higher == pytest.approx(-np.log(shares), rel=1e-3, abs=1e-4)  # scoring sums in another order than decoding
    assert (higher > 0).all()


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "nllb": make_checkpoint,
    "m2m100": m2m100,
    "madlad400": madlad,
    "opus-mt": opus,
    "opus-mt with several targets": partial(opus, targets=(">>deu<<", ">>cmn_Hant<<")),
}


@pytest.mark.parametrize("quantization", ["float32", "float16", "int8", "int16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_can_be_cut_in_each_quantization(family: str, quantization: str, tmp_path: Path) -> None:
    whole = convert(FAMILIES[family](tmp_path / "checkpoint"), tmp_path / "model", name="tiny", licence="MIT", quantization=quantization)
    settings = TranslationSettings(max_target_tokens=30, max_batch_tokens=256)
    texts = ["The river is long and the town is old.", "Der Fluss ist lang.", "12 towns"]
    expected = Engine(whole, settings).translate(texts, ENGLISH, GERMAN)
    # Random weights write any piece: every second one goes among those that were not written.
    bare_whole = ctranslate2.Translator(str(whole.folder))
    before, after = whole.source_frame(ENGLISH, GERMAN)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(whole.pieces[0]))
    sources = [[*before, *encoded, *after] for encoded in encoder.encode(texts, out_type=str)]
    prefix = whole.target_prefix(GERMAN)
    outputs = bare_whole.translate_batch(sources, [prefix] * 3 if prefix else None, beam_size=1, max_decoding_length=30)
    needed = {piece for output in outputs for piece in output.hypotheses[0]}
    cut = cut_model(whole, GERMAN, [*needed, *vocabulary(whole.folder)[::2]])
    assert len(vocabulary(cut.folder, "target")) < len(vocabulary(whole.folder)) == len(vocabulary(cut.folder, "source"))
    assert [text.text for text in Engine(cut, settings).translate(texts, ENGLISH, GERMAN)] == [text.text for text in expected]
    of_whole, of_cut = (Scorer(model, settings).score(texts, texts[::-1], ENGLISH, GERMAN) for model in (whole, cut))
    for one, other in zip(of_whole, of_cut, strict=True):
        assert one and other and len(one.pieces) == len(other.pieces)
        assert one.unknown or other.unknown or all(less <= more + 0.01 for less, more in zip(one.pieces, other.pieces, strict=True))
    assert (cut.licence, cut.quantization, cut.family, cut.pair) == ("MIT", quantization, whole.family, whole.pair)


def test_it_is_made_once_for_the_same_model_and_pieces(cache: Path) -> None:
    model, cut = sample_cut_to_what_german_needs()
    made = (cut.folder / "model.bin").stat().st_mtime_ns
    pieces = vocabulary(cut.folder, "target")
    again = cut_model(model, GERMAN, [*reversed(pieces), "no piece of the model"])
    assert again == cut and (again.folder / "model.bin").stat().st_mtime_ns == made
    other = cut_model(model, GERMAN, pieces[:-20])
    assert other.fingerprint != cut.fingerprint != model.fingerprint
    assert {folder.name for folder in cache.iterdir()} == {cut.folder.name, other.folder.name}
    assert cut.name == "sample, deu_Latn only"
    assert (cut.folder / "config.json").read_bytes() == (SAMPLE / "config.json").read_bytes()
    assert json.loads((cut.folder / "source_vocabulary.json").read_text()) == vocabulary(SAMPLE)


@pytest.mark.parametrize("name", ["model.bin", "target_vocabulary.json", "model.json"])
def test_a_damaged_one_is_made_again(cache: Path, name: str) -> None:
    model, cut = sample_cut_to_what_german_needs()
    content = (cut.folder / name).read_bytes()
    pieces = vocabulary(cut.folder, "target")
    (cut.folder / name).write_bytes(content[:-9])
    assert cut_model(model, GERMAN, pieces) == cut
    assert (cut.folder / name).read_bytes() == content
    (cut.folder / name).unlink()
    assert cut_model(model, GERMAN, pieces) == cut
    assert [folder.name for folder in cache.iterdir()] == [cut.folder.name]


def test_several_at_a_time_make_one(cache: Path) -> None:
    model = open_model(SAMPLE)
    made: list[Model] = []
    threads = [threading.Thread(target=lambda: made.append(cut_model(model, GERMAN, vocabulary(SAMPLE)[:500]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [made[0]] * 4
    assert [folder.name for folder in cache.iterdir()] == [made[0].folder.name]


def test_nothing_is_left_of_one_that_could_not_be_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        cut_model(open_model(SAMPLE), GERMAN, vocabulary(SAMPLE)[:500])
    assert list(cache.iterdir()) == []


REFUSED: list[tuple[Language, list[str], str]] = [
    (LANGUAGES.find("ko"), ["▁a"], r"model 'sample' does not know kor_Hang"),
    (GERMAN, [], r"model 'sample' has none of the pieces that it shall be cut to for deu_Latn"),
    (GERMAN, ["no piece"], r"model 'sample' has none of the pieces"),
]


@pytest.mark.parametrize(("target", "pieces", "message"), REFUSED)
def test_what_cannot_be_cut_is_said(target: Language, pieces: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        cut_model(open_model(SAMPLE), target, pieces)


def test_a_cut_model_writes_its_language_only() -> None:
    _, cut = sample_cut_to_what_german_needs()
    with pytest.raises(UserError, match="model 'sample, deu_Latn only' was cut to what deu_Latn needs: it does not"):
        Engine(cut, TranslationSettings()).translate(["Hallo"], GERMAN, ENGLISH)


def test_an_output_layer_without_a_row_for_each_piece_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "model")
    (tmp_path / "model" / "model.json").unlink()
    (tmp_path / "model" / "shared_vocabulary.json").write_text(json.dumps(vocabulary(SAMPLE)[:-1]))
    with pytest.raises(UserError, match=r"cannot be cut to the pieces of a language: decoder/\S+ has 5812 rows for 5811 pieces"):
        cut_model(open_model(tmp_path / "model"), GERMAN, vocabulary(SAMPLE)[:500])
