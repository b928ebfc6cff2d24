"""What a forced score costs beside a translation, with a model of all pieces and with one that was cut to those of a language.

    python -m benchmarks.scoring [--kept 30000] [--sentences 64] [--tokens 24] [--rounds 3]

A model of NLLB-200's shape (`benchmarks.real_shape`) translates sentences greedily in batches of 16 and scores given outputs of the same
length, whole and cut to `--kept` pieces; the cut one by the pipeline's `Scorer`, with all that this does besides. One thread, in turn, in
processor time for a token, as a shared machine changes that least; the best round of each counts. Needs 3 GB of memory and 1.2 GB of disk.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ctranslate2
import sentencepiece

from benchmarks.measuring import peak_mb, processor_seconds
from benchmarks.real_shape import PIECES, build
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import HOUSE, TranslationSettings
from parallel_qa.pipeline.translation.cutting import cut_model
from parallel_qa.pipeline.translation.models import Model, vocabulary
from parallel_qa.pipeline.translation.scoring import Scorer

_GERMAN = LANGUAGES.find("de")
_BATCH = 16
Pair = tuple[list[str], list[str]]  # a source and the output that is given, in pieces
_SAMPLE = HOUSE / "pipeline" / "sample" / "data" / "questions.json"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pieces", type=int, default=PIECES, help="of the whole vocabulary")
    parser.add_argument("--kept", type=int, default=30_000, help="pieces of the cut one")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--sentences", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=24, help="of a sentence and of its output")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=0, help="of the scorer; its own choice if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        os.environ["PARALLEL_QA_CACHE"] = str(Path(name) / "cache")
        model = build(Path(name) / "model", arguments.pieces, layers=arguments.layers, width=arguments.width, inner=4 * arguments.width)
        print(json.dumps(_measure(model, arguments)))


def _measure(model: Model, arguments: argparse.Namespace) -> dict[str, float]:
    cut = cut_model(model, ENGLISH, vocabulary(model.folder)[: arguments.kept])
    texts = _texts(model, arguments.sentences, arguments.tokens)
    scorer = Scorer(cut, TranslationSettings(inter_threads=1, max_batch_tokens=arguments.batch_tokens))
    print(f"{model.name}; batches of the scorer: {scorer.batch_tokens} tokens")
    before, after = model.source_frame(_GERMAN, ENGLISH)
    pairs = [([*before, *pieces, *after], [*model.target_prefix(ENGLISH), *pieces]) for pieces in _encoded(model, texts)]
    whole_model, cut_model_alone = _load(model), _load(cut)
    ways: dict[str, Callable[[], int]] = {
        "translate, all pieces": partial(_translate, whole_model, pairs),
        "translate, cut": partial(_translate, cut_model_alone, pairs),
        "score, all pieces": partial(_score, whole_model, pairs),
        "score, cut": partial(_score, cut_model_alone, pairs),
        "scorer, cut": partial(_by_scorer, scorer, texts),
    }
    rounds = [{name: _seconds_per_token(way) for name, way in ways.items()} for _ in range(arguments.rounds)]
    best = {name: min(spent[name] for spent in rounds) for name in ways}
    over = {name: spent / best["translate, all pieces"] for name, spent in best.items()}
    for name, spent in best.items():
        print(f"{name:24} {1 / spent:8,.0f} tokens a second of one core  {over[name]:.3f} of translating with all pieces")
    return {
        "score_over_translate": round(over["scorer, cut"], 3),
        "score_over_translate_cut": round(over["scorer, cut"] / over["translate, cut"], 3),
        "score_all_pieces_over_translate": round(over["score, all pieces"], 3),
        "translate_cut_over_translate": round(over["translate, cut"], 3),
        "peak_mb": round(peak_mb()),
    }


def _texts(model: Model, count: int, tokens: int) -> list[str]:
    """Texts of so many pieces, made of the sample questions."""
    document = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    every = " ".join(paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"])
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    encoded = pieces.encode(every, out_type=str)
    texts = (pieces.decode(encoded[start : start + tokens]) for start in itertools.count(0, 7))
    return list(itertools.islice((text for text in texts if len(pieces.encode(text)) == tokens), count))


def _encoded(model: Model, texts: list[str]) -> list[list[str]]:
    encoded: list[list[str]] = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1])).encode(texts, out_type=str)
    return encoded


def _load(model: Model) -> ctranslate2.Translator:
    return ctranslate2.Translator(str(model.folder), device="cpu", inter_threads=1, intra_threads=1)


def _translate(translator: ctranslate2.Translator, pairs: Sequence[Pair]) -> int:
    """Greedy outputs of the length of the given ones; how many tokens."""
    written = 0
    for start in range(0, len(pairs), _BATCH):
        sources, outputs = zip(*pairs[start : start + _BATCH], strict=True)
        prefixes = [output[:1] for output in outputs]
        results = translator.translate_batch(
            list(sources), prefixes, beam_size=1, max_decoding_length=len(outputs[0]) + 1, max_input_length=0, return_scores=True
        )
        written += sum(len(result.hypotheses[0]) - 1 for result in results)
    return written


def _score(translator: ctranslate2.Translator, pairs: Sequence[Pair]) -> int:
    """Score the given outputs; how many tokens, without the language's."""
    scored = 0
    for start in range(0, len(pairs), _BATCH):
        sources, outputs = zip(*pairs[start : start + _BATCH], strict=True)
        results = translator.score_batch(list(sources), list(outputs), max_input_length=0)
        scored += sum(len(result.log_probs) - 1 for result in results)
    return scored


def _by_scorer(scorer: Scorer, texts: list[str]) -> int:
    scores = scorer.score(texts, texts, _GERMAN, ENGLISH)
    return sum(len(score.pieces) for score in scores if score)


def _seconds_per_token(way: Callable[[], int]) -> float:
    began = processor_seconds()
    tokens = way()
    return (processor_seconds() - began) / tokens


if __name__ == "__main__":
    main()
