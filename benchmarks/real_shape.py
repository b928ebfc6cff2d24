"""A model in the shape of NLLB-200's distilled 600 M: what it costs to compute is real, what it says is not.

    python -m benchmarks.real_shape FOLDER [--pieces 256206]

12 and 12 layers of width 1024, and 256,206 pieces whose one matrix is the embeddings of both sides and the output layer: 615 million
parameters in int8, as a CTranslate2 folder of 620 MB, within seconds and without PyTorch. The weights are random. So speeds, memory and
what depends on the shape alone can be measured on it; quality, lengths of outputs and log-probabilities cannot. The logit of special
tokens and languages is zero and never the highest, so that every output goes on to the longest that is allowed.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from ctranslate2.specs import TransformerSpec
from numpy.typing import NDArray

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import MODEL_FILE, SENTENCEPIECE, Model, describe, open_model

PIECES = 256_206
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_POSITIONS = 1026


def main() -> None:
    """Make one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=PIECES, help="of the vocabulary")
    arguments = parser.parse_args()
    print(build(arguments.folder, arguments.pieces).folder)


def build(
    folder: Path,
    pieces: int = PIECES,
    *,
    tokenizer: Path = SAMPLE / SENTENCEPIECE,
    layers: int = 12,
    width: int = 1024,
    inner: int = 4096,
    heads: int = 16,
    seed: int = 0,
    change: Callable[[Any, list[str]], None] = lambda spec, vocabulary: None,
) -> Model:
    """The model, written to `folder`, which must not exist.

    Its vocabulary has `pieces`: the special tokens, those of the SentencePiece model `tokenizer`, as many as are missing that no text
    ever has (`w0`, `w1`, …), and the tokens of NLLB's languages. `inner` is the width inside the feed-forward layers. Raises ValueError
    where there are fewer `pieces` than that takes. `change` may alter weights, and names of pieces, before they are saved.
    """
    known = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    own = [piece for piece in map(known.id_to_piece, range(known.get_piece_size())) if piece not in _SPECIAL]
    languages = [language.code for language in LANGUAGES]
    missing = pieces - len(_SPECIAL) - len(own) - len(languages)
    if missing < 0:
        raise ValueError(f"{pieces} pieces are too few for this tokenizer: it takes {pieces - missing}")
    vocabulary = [*_SPECIAL, *own, *(f"w{number}" for number in range(missing)), *languages]
    spec = _spec(layers, width, inner, heads, np.random.default_rng(seed), len(vocabulary), len(languages))
    change(spec, vocabulary)
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.decoder_start_token = "</s>"
    spec.validate()
    spec.optimize()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    shutil.copyfile(tokenizer, folder / SENTENCEPIECE)
    description = describe(folder, name=f"random, {_millions(spec):.0f} M parameters", licence=None, quantization="int8")
    (folder / MODEL_FILE).write_text(json.dumps(description), encoding="utf-8")
    return open_model(folder)


def _spec(layers: int, width: int, inner: int, heads: int, random: np.random.Generator, pieces: int, languages: int) -> Any:
    spec = TransformerSpec.from_config(layers, heads, pre_norm=True)
    spec.encoder.scale_embeddings = spec.decoder.scale_embeddings = True
    shared = _weights(random, pieces, width)
    shared[: len(_SPECIAL)] = shared[pieces - languages :] = 0
    scale = _scale(random, pieces, width)
    for layer in (spec.encoder.embeddings[0], spec.decoder.embeddings, spec.decoder.projection):
        layer.weight, layer.weight_scale = shared, scale
    for side in (spec.encoder, spec.decoder):
        side.position_encodings.encodings = _positions(width)
        _norm(side.layer_norm, width)
        for layer in side.layer:
            for attention, outputs in ((layer.self_attention, (3, 1)), (getattr(layer, "attention", None), (1, 2, 1))):
                if attention:
                    _norm(attention.layer_norm, width)
                    for linear, times in zip(attention.linear, outputs, strict=True):
                        _linear(linear, times * width, width, random)
            _norm(layer.ffn.layer_norm, width)
            _linear(layer.ffn.linear_0, inner, width, random)
            _linear(layer.ffn.linear_1, width, inner, random)
    return spec


def _linear(spec: Any, outputs: int, inputs: int, random: np.random.Generator) -> None:
    spec.weight, spec.weight_scale = _weights(random, outputs, inputs), _scale(random, outputs, inputs)
    spec.bias = np.zeros(outputs, np.float32)


def _weights(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.int8]:
    return random.integers(-127, 128, size=(rows, columns), dtype=np.int8)


def _scale(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    """By what the weights of a row are divided: their standard deviation becomes about 1 / √columns.

    No two layers have the same scales: CTranslate2 would save them once, and not find them when it loads the other weights.
    """
    scale: NDArray[np.float32] = (random.uniform(0.9, 1.1, rows) * 127 / np.sqrt(3 / columns)).astype(np.float32)
    return scale


def _norm(spec: Any, width: int) -> None:
    spec.gamma, spec.beta = np.ones(width, np.float32), np.zeros(width, np.float32)


def _positions(width: int) -> NDArray[np.float32]:
    """Sinusoids of wave lengths from 2π to 10,000 · 2π (Vaswani et al. 2017, 3.5), sines before cosines."""
    angles = np.arange(_POSITIONS)[:, None] / 10_000 ** np.linspace(0, 1, width // 2)
    positions: NDArray[np.float32] = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    return positions


def _millions(spec: Any) -> float:
    """Parameters of the weights; those that variables share count once, as aliases are names alone."""
    variables = spec.variables().values()
    return sum(int(np.prod(variable.shape)) for variable in variables if not isinstance(variable, str) and len(variable.shape) > 1) / 1e6


if __name__ == "__main__":
    main()
