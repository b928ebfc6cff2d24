"""Decoding among candidates in the real flow, on a model of NLLB-200's real shape, beside the bare engine with all pieces.

    python -m benchmarks.real_flow [--text SQUAD.json.gz] [--sentences 800] [--lessons 40] [--candidates 50000] [--rounds 2]

The model (`benchmarks.real_shape`, 615 M parameters, made in place, 3 GB of memory) has random weights, so this shows time, not quality.
Two things are arranged, as they are so with a real model: it writes only words of its language, here `WORDS` that are frequent in the
text, so that all are candidates; and it ends its outputs by itself, here after `--tokens`. For the first its output layer has a matrix of
its own (264 MB more), as with one for input and output each word would follow itself. As many other pieces have names without letters,
which every language gets, as make `--candidates` of them: about what a language in Latin script has (docs/performance.md).

The default settings prepare the text and translate it there and back: segmenting, lessons with all pieces, learning candidates, the
rest among them, with a share of it compared. Beside it CTranslate2 alone translates the same sentences, there and back, with all pieces,
at its best batch size, sorted and tokenised beforehand. In turn; the best round of each counts. Times are of the processor (all threads of
this process), which other work on the machine changes less than the clock. The last line is JSON:

- `stage_over_engine`: output tokens a second of the whole stage, loading of the model included, by those of the bare engine;
- `restricted_over_engine`: the same of the units with candidates alone. A large run comes to that: few of its sentences are lessons;
- `lessons_share`: of the sentences; `candidates`: pieces; `compared`, `differing`: sentences that were decoded with all pieces as well, and
  those that came out otherwise.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import sentencepiece
import yaml

from benchmarks.measuring import processor_seconds
from benchmarks.real_shape import PIECES, build
from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.settings import HOUSE, Settings, load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import translate
from parallel_qa.pipeline.translation.models import SENTENCEPIECE, Model
from parallel_qa.pipeline.translation.sentences import needs_model, split
from parallel_qa.pipeline.work import Unit, run_here, run_step

XQUAD = HOUSE.parent / "shared" / "data" / "xquad-r" / "en.json.gz"
SAMPLE = HOUSE / "pipeline" / "sample" / "data" / "questions.json"
CODE = "deu_Latn"
WORDS = 64
_TIME_IS_UP = 100.0
"""Of the first dimension of a position: so much more than layers add that it tells the last layer whether the output is to end."""
_SHARPNESS = 10.0
"""By what logits are larger than random ones, so that outputs are as likely as those of a trained model."""
_NEVER = -10_000.0
_POSITION, _SOURCE = 10.0, 4.0
"""How much more the position and the source weigh than in a random model, so that few outputs are the same."""
_TRIED = 64
"""Sentences on which the bare engine's batch sizes are tried."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--text", type=Path, default=XQUAD if XQUAD.is_file() else SAMPLE, help="SQuAD JSON")
    parser.add_argument("--sentences", type=int, default=800, help="to translate, about")
    parser.add_argument("--lessons", type=int, default=40, help="of them, to learn candidates from")
    parser.add_argument("--candidates", type=int, default=50_000, help="pieces, about")
    parser.add_argument("--tokens", type=int, default=22, help="length of every output")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pieces", type=int, default=PIECES, help="of the vocabulary")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--batch-tokens", type=int, nargs="+", default=[512, 1024, 2048], help="tried by the bare engine")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        os.environ["PARALLEL_QA_CACHE"] = str(Path(name) / "cache")
        print(json.dumps(_measure(Path(name), arguments)))


def _measure(folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    paragraphs = _paragraphs(arguments.text)
    model = writing_model(folder, paragraphs, arguments)
    settings = _project(folder, paragraphs, arguments)
    english = Store(str(folder / "english"))
    prepare(settings, english)
    engine, size = _Engine(model), 0
    stages: list[dict[str, Spent]] = []
    alone: list[Spent] = []
    for attempt in range(arguments.rounds):
        plan, steps = _stage(settings, Store(str(folder / f"store-{attempt}")), english)
        there, back = _translated(plan)
        size = size or max(arguments.batch_tokens, key=lambda tried: engine.spent(there[:_TRIED], back[:_TRIED], tried).speed)
        stages.append(steps)
        alone.append(engine.spent(there, back, size))
        for name, spent in [*steps.items(), ("engine alone", alone[-1])]:
            print(f"{name:20} {spent}", flush=True)
    lessons, every = (
        sum(file.rows for unit in units for file in unit.files.values()) for units in (plan.lessons[CODE], plan.translation_units)
    )
    whole = [sum(steps.values(), Spent()) for steps in stages]
    fastest = max(spent.speed for spent in alone)
    compared, differing = _compared(plan)
    pieces = plan.inventory.record(plan.candidates[CODE]).facts["there"]
    clock = max(spent.clock_speed for spent in whole) / max(spent.clock_speed for spent in alone)
    print(f"{model.name}, {every} sentences, {lessons} of them lessons, {len(back)} different translations, {pieces:,} candidates")
    print(f"best batch of the engine alone: {size} tokens; by the clock the stage is {clock:.2f} times as fast")
    return {
        "stage_over_engine": round(max(spent.speed for spent in whole) / fastest, 3),
        "restricted_over_engine": round(max(steps["translate"].speed for steps in stages) / fastest, 3),
        "lessons_share": round(lessons / every, 3),
        "candidates": pieces,
        "compared": compared,
        "differing": differing,
    }


def writing_model(folder: Path, paragraphs: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> Model:
    """A model of the real shape whose outputs are `arguments.tokens` words of a few, with its SentencePiece model learnt from the text."""
    text = [paragraph["context"] for paragraph in paragraphs]
    tokenizer = learn_pieces(folder, text)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    found = {word for line in text for word in line.split() if len(word) > 3 and word.isascii() and word.islower()}
    words = {f"▁{word}" for word in found if encoder.encode(word, out_type=str) == [f"▁{word}"]}
    change = _writes({*sorted(words, key=encoder.piece_to_id)[:WORDS]}, arguments.tokens, arguments.candidates - encoder.get_piece_size())
    return build(
        folder / "model",
        arguments.pieces,
        tokenizer=tokenizer,
        layers=arguments.layers,
        width=arguments.width,
        inner=4 * arguments.width,
        change=change,
    )


def _writes(words: set[str], length: int, without_letters: int) -> Callable[[Any, list[str]], None]:
    """Makes a model write `words` alone and end after `length` of them; so many pieces that no text has get names without letters."""

    def change(spec: Any, vocabulary: list[str]) -> None:
        decoder = spec.decoder
        shared = decoder.embeddings.weight
        shared[:, 0] = 0
        decoder.embeddings.weight_scale[vocabulary.index("</s>")] = 127
        shared[vocabulary.index("</s>"), 0] = 127
        written = np.array([row for row, piece in enumerate(vocabulary) if piece in words])
        decoder.projection.weight = shared.copy()  # with the same words in and out, each would follow itself
        decoder.projection.weight[written] = shared[np.roll(written, 1)]
        decoder.projection.weight_scale = decoder.embeddings.weight_scale * np.float32(1.001)  # an equal one would be saved once for both
        decoder.projection.bias = np.array([0.0 if piece in words or piece == "</s>" else _NEVER for piece in vocabulary], np.float32)
        positions = decoder.position_encodings.encodings
        positions[:] = np.random.default_rng(0).normal(0, _POSITION, positions.shape)
        positions[:, 0] = -_TIME_IS_UP
        positions[length + 1 :, 0] = _TIME_IS_UP
        for layer in decoder.layer:
            layer.attention.linear[-1].weight_scale /= _SOURCE
        decoder.layer_norm.gamma *= _SHARPNESS
        unused = [row for row, piece in enumerate(vocabulary) if piece[:1] == "w" and piece[1:].isdigit()]
        for row in unused[: max(without_letters, 0)]:
            vocabulary[row] = vocabulary[row][1:]

    return change


def learn_pieces(folder: Path, texts: Iterable[str]) -> Path:
    """A SentencePiece model of at most 8,000 pieces learnt from texts."""
    lines = list(texts)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / "pieces"),
        model_type="bpe",
        vocab_size=8000 if sum(map(len, lines)) > 100_000 else 1000,
        hard_vocab_limit=False,  # a short text has fewer pieces
        minloglevel=2,
    )
    return (folder / "pieces.model").rename(folder / SENTENCEPIECE)


def _paragraphs(text: Path) -> list[dict[str, Any]]:
    content = text.read_bytes()
    document = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return [paragraph for article in document["data"] for paragraph in article["paragraphs"]]


def _project(folder: Path, paragraphs: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> Settings:
    """A profile with two sources, of which the first has the sentences that teach."""
    first, left = _with_sentences(paragraphs, arguments.lessons)
    rest, _ = _with_sentences(left, arguments.sentences - arguments.lessons)
    for name, some in (("first", first), ("rest", rest)):
        (folder / f"{name}.json").write_text(json.dumps({"version": "1", "data": [{"title": "", "paragraphs": some}]}), encoding="utf-8")
        card = {"name": name, "title": name, "format": "squad", "files": [f"{name}.json"], "licence": "CC0-1.0"}
        (folder / f"{name}.md").write_text(f"---\n{yaml.safe_dump(card)}---\n", encoding="utf-8")
    content = {
        "name": "benchmark",
        "sources": ["./first.md", "./rest.md"],
        "evaluation": [],
        "languages": [CODE],
        "translation": {"model": "model", "candidates": {"lessons": arguments.lessons // 2}},  # of what is prepared, some may be dropped
    }
    (folder / "profile.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_settings(str(folder / "profile.yaml"))


def _with_sentences(paragraphs: Sequence[dict[str, Any]], wanted: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first paragraphs that have so many different sentences, and the others."""
    found: set[str] = set()
    for number, paragraph in enumerate(paragraphs, 1):
        texts = (paragraph["context"], *(question["question"] for question in paragraph["qas"]))
        found.update(sentence for text in texts for sentence in split(text).sentences)
        if len(found) >= wanted:
            return list(paragraphs[:number]), list(paragraphs[number:])
    return list(paragraphs), []


@dataclass(frozen=True)
class Spent:
    """Output tokens, with the seconds of processors and of the clock that they took."""

    tokens: int = 0
    processor: float = 0.0
    clock: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.processor + other.processor, self.clock + other.clock)

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens in {self.processor:.1f} s of processors and {self.clock:.1f} s"

    @property
    def speed(self) -> float:
        """Tokens a second of one processor."""
        return self.tokens / self.processor

    @property
    def clock_speed(self) -> float:
        """Tokens a second."""
        return self.tokens / self.clock


def _stage(settings: Settings, store: Store, english: Store) -> tuple[Plan, dict[str, Spent]]:
    """The stage `translate` in a store that has English texts alone; and what each of its steps took."""
    shutil.copytree(english.root, store.root, dirs_exist_ok=True)
    plan = Plan(settings, store)
    spent: dict[str, Spent] = {}
    done: set[str] = set()
    for step in plan.steps("translate"):
        processor, clock = processor_seconds(), time.perf_counter()
        run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))
        processor, clock = processor_seconds() - processor, time.perf_counter() - clock
        units = [unit for unit in step.units if step.do is translate.do and unit.path not in done]
        done.update(unit.path for unit in units)
        tokens = sum(len(text.split()) for unit in units for made in _both(unit) for text in _texts(plan, made))
        spent[step.name] = Spent(tokens, processor, clock)
    return plan, spent


def _both(unit: Unit) -> tuple[Unit, Unit]:
    """The units of the way there and the way back."""
    return unit.inputs["translated"], unit


def _texts(plan: Plan, unit: Unit) -> list[str]:
    record = plan.inventory.record(unit)
    return [text for name in record.files for text in plan.store.read_table(record, name)["text"].to_pylist()]


def _translated(plan: Plan) -> tuple[list[str], list[str]]:
    """The sentences that were translated there, and those that were translated back."""
    english = [
        text for unit in plan.translation_units for file in unit.files.values() for text in plan.store.read_file(file)["text"].to_pylist()
    ]
    german = [text for unit in plan.translation_units for text in _texts(plan, unit.inputs["translated"])]
    first, second = ([text for text in dict.fromkeys(texts) if needs_model(text)] for texts in (english, german))
    return first, second


def _compared(plan: Plan) -> tuple[int, int]:
    """How many sentences were compared with their translation among all pieces, and how many of them differ."""
    facts = [plan.inventory.record(made).facts.get("candidates") for unit in plan.translation_units for made in _both(unit)]
    return sum(fact["checked"] for fact in facts if fact), sum(fact["differing"] for fact in facts if fact)


class _Engine:
    """CTranslate2 alone with all pieces, a thread a core."""

    def __init__(self, model: Model) -> None:
        self._translator = ctranslate2.Translator(str(model.folder), device="cpu", inter_threads=available_cores(), intra_threads=1)
        self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[0]))

    def spent(self, there: Sequence[str], back: Sequence[str], size: int) -> Spent:
        """What translating takes in batches of `size` tokens; the sentences are sorted and tokenised beforehand."""
        batches = [(self._tokens(there, ENGLISH.code), CODE), (self._tokens(back, CODE), ENGLISH.code)]
        processor, clock, tokens = processor_seconds(), time.perf_counter(), 0
        for batch, target in batches:
            results = self._translator.translate_batch(
                batch,
                target_prefix=[[target]] * len(batch),
                beam_size=1,
                max_input_length=0,
                return_scores=True,
                max_batch_size=size,
                batch_type="tokens",
            )
            tokens += sum(len(result.hypotheses[0]) - 1 for result in results)
        return Spent(tokens, processor_seconds() - processor, time.perf_counter() - clock)

    def _tokens(self, sentences: Sequence[str], source: str) -> list[list[str]]:
        encoded = self._pieces.encode(list(sentences), out_type=str)
        return sorted(([source, *pieces, "</s>"] for pieces in encoded), key=len, reverse=True)


if __name__ == "__main__":
    main()
