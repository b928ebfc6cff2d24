"""How much of the engine's speed the stage `translate` keeps, by how much candidates beat it, and what the usual ways of using it cost.

    python -m benchmarks.translation [--text SQUAD.json.gz] [--tokens 24] [--paragraphs 240] [--rounds 4] [--tokenizer FILE] [--real "…"]

A small model of NLLB's shape (about 50 M parameters, random weights, every output of the same length) translates the
unique sentences of XQuAD English, or of the sample set where that is absent. Side by side in one run: the stage with
reading, splitting, tokenising, joining and writing; CTranslate2 alone on the same sentences, tokenised and sorted
beforehand; CTranslate2 in unsorted batches of 32 and row by row; Transformers in batches of 32; and two workers of
one thread each against one. Then the real shape (`benchmarks.real_flow`, which gets the arguments `--real`) and what candidates
change (`benchmarks.differing`, which gets `--tokenizer`). The last line is JSON:

- `stage_over_engine`, `restricted_over_engine`, `lessons_share`, `candidates`, `compared`, `differing`: see `benchmarks.real_flow`;
- `stage_over_engine_small`: tokens by processor time, of the small model without candidates, as both keep all cores busy;
- `stage_over_transformers`, `stage_over_row_by_row`: tokens by the clock;
- `two_workers_over_one`, `two_threads_over_one_in_engine`, `two_workers_over_two_threads`: the first by the second;
- `differs_sample`, `differs_text`: see `benchmarks.differing`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ctranslate2
import sentencepiece
import yaml

from benchmarks.measuring import processor_seconds, run_alone
from benchmarks.real_flow import SAMPLE, XQUAD, Spent, learn_pieces
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.planning.stages import translate as translate_stage
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE, Settings, load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import segment, translate
from parallel_qa.pipeline.translation.conversion import convert
from parallel_qa.pipeline.translation.models import SENTENCEPIECE
from parallel_qa.pipeline.translation.packs import shard_name
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.translation.sentences import join, needs_model
from parallel_qa.pipeline.work import run_here, run_step

CODE = "deu_Latn"
BARE = "CTranslate2 alone, sorted, best batch"
SLOW = 160
"""Sentences, of all lengths, for what is too slow for all of them."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--text", type=Path, default=XQUAD if XQUAD.is_file() else SAMPLE, help="SQuAD JSON")
    parser.add_argument("--tokens", type=int, default=24, help="length of every output")
    parser.add_argument("--paragraphs", type=int, help="so many of the text; all if not given")
    parser.add_argument("--rounds", type=int, default=4, help="measurements of the stage and of the engine, of which the best count")
    parser.add_argument("--tokenizer", type=Path, help="of about 250,000 pieces, for benchmarks.differing")
    parser.add_argument("--real", default="", metavar="ARGUMENTS", help="of benchmarks.real_flow")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "PART"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _worker(Path(arguments.child[0]), arguments.child[1])
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        small = _measure(folder, _shortened(arguments.text, folder, arguments.paragraphs), arguments.tokens, arguments.rounds)
    real = run_alone("benchmarks.real_flow", "--text", arguments.text, *shlex.split(arguments.real))
    tokenizer = ["--tokenizer", arguments.tokenizer] if arguments.tokenizer else []
    print(json.dumps(real | small | run_alone("benchmarks.differing", *tokenizer)))


def _shortened(text: Path, folder: Path, paragraphs: int | None) -> Path:
    """A file with the first paragraphs of a SQuAD file."""
    content = text.read_bytes()
    document = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    every = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    short = folder / "text.json"
    short.write_text(json.dumps({"version": "1", "data": [{"title": "", "paragraphs": every[:paragraphs]}]}), encoding="utf-8")
    return short


def _measure(folder: Path, text: Path, tokens: int, rounds: int) -> dict[str, float]:
    checkpoint = _checkpoint(folder, text)
    convert(checkpoint, folder / "model", name="benchmark", licence=None, quantization="int8")
    settings = _project(folder, "profile.yaml", text, tokens, shard_sentences=100_000)
    store = Store(str(folder / "store"))
    prepare(settings, store)

    first = Store(str(folder / "store-first"))
    _stage(settings, first, store)
    sentences = _sentences(settings, first)
    best = max((1024, 1536, 2048, 3072, 4096), key=lambda size: _bare(folder, sentences, tokens, size).speed)
    # In turn, and the best of each counts: a shared machine is never quite still.
    stage, bare = [], []
    for attempt in range(rounds):
        stage.append(_stage(settings, Store(str(folder / f"store-{attempt}")), store))
        bare.append(_bare(folder, sentences, tokens, best))
    spread = sentences[:: max(len(sentences) // SLOW, 1)][:SLOW]
    speeds = {
        "stage": max(spent.clock_speed for spent in stage),
        BARE: max(spent.clock_speed for spent in bare),
        "CTranslate2, unsorted batches of 32": _batches(folder, sentences, tokens, 32).clock_speed,
        "CTranslate2, row by row": _batches(folder, spread, tokens, 1).clock_speed,
        "Transformers, batches of 32": _transformers(checkpoint, spread, tokens),
    }
    print(f"best batch of CTranslate2 alone: {best} tokens; the stage's own: {_batch_tokens(settings)}")
    for name, speed in speeds.items():
        print(f"{name:40} {speed:8,.0f} output tokens/s  {speed / speeds['stage']:.3f} of the stage")
    _saving(store, settings, folder)
    two, limit = _two_over_one(folder, text, tokens, sentences, best, rounds)
    print(f"two workers of one thread each are {two:.2f} times as fast as one; two threads of CTranslate2 alone {limit:.2f} times")
    return {
        "stage_over_engine_small": round(max(spent.speed for spent in stage) / max(spent.speed for spent in bare), 3),
        "stage_over_transformers": round(speeds["stage"] / speeds["Transformers, batches of 32"], 2),
        "stage_over_row_by_row": round(speeds["stage"] / speeds["CTranslate2, row by row"], 2),
        "two_workers_over_one": round(two, 2),
        "two_threads_over_one_in_engine": round(limit, 2),
        "two_workers_over_two_threads": round(two / limit, 3),
    }


def _checkpoint(folder: Path, text: Path) -> Path:
    """A checkpoint with the files of NLLB-200, about 50 M parameters with random weights."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    document = json.loads(text.read_text(encoding="utf-8"))
    learn_pieces(checkpoint, [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]])
    codes = ["eng_Latn", CODE]
    tokenizer = NllbTokenizer.from_pretrained(str(checkpoint), extra_special_tokens=codes, local_files_only=True)
    tokenizer.save_pretrained(str(checkpoint))
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=512, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=2048, decoder_ffn_dim=2048,
        encoder_attention_heads=8, decoder_attention_heads=8, max_position_embeddings=1024, scale_embedding=True,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    config.tokenizer_class = "NllbTokenizer"
    model = M2M100ForConditionalGeneration(config)
    print(f"model of {sum(parameter.numel() for parameter in model.parameters()) / 1e6:.0f} M parameters")
    model.save_pretrained(str(checkpoint))
    return checkpoint


def _project(folder: Path, profile: str, text: Path, tokens: int, **translation: Any) -> Settings:
    card = {"name": "text", "title": "text", "format": "squad", "files": [str(text.resolve())], "licence": "CC0-1.0"}
    (folder / "text.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    content = {
        "name": "benchmark",
        "sources": ["./text.md"],
        "evaluation": [],
        "languages": [CODE],
        "translation": {"model": "model", "max_target_tokens": tokens, "back_share": 0, **translation},
    }
    (folder / profile).write_text(yaml.safe_dump(content))
    return load_settings(str(folder / profile))


def _stage(settings: Settings, store: Store, english: Store) -> Spent:
    """Output tokens of the whole stage and what they took, from reading the English texts to writing the joined translations."""
    _copy(english, store)
    model_of(settings)
    translate._engine(model_of(settings), settings.translation)  # loading is no part of any of the measurements
    progress = _Tokens()
    processor, began = processor_seconds(), time.perf_counter()
    translate_stage(settings, store, progress)
    plan = Plan(settings, store)
    [(key, packs)] = plan.translated.items()
    texts = {
        name: store.read_table(plan.inventory.record(pack.inputs["translated"]), translate.file_name(name))["text"].to_pylist()
        for pack in packs
        for name in pack.files
    }
    for unit in plan.segmented[key[0], ENGLISH.code]:
        own = [text for name, of_file in texts.items() if name.startswith(f"{shard_name(unit)}/") for text in of_file]
        rows = store.read_table(plan.inventory.record(unit), segment.TEXTS).to_pylist()
        joined = [join([own[row] for row in parts["text"]], parts["gaps"]) for parts in rows]
        store.write(f"joined/{unit.table}-{unit.shard}.txt", "\n".join(joined).encode())
    return Spent(progress.tokens, processor_seconds() - processor, time.perf_counter() - began)


def _copy(source: Store, target: Store) -> None:
    import shutil

    shutil.copytree(source.root, target.root, dirs_exist_ok=True)


class _Tokens(LogProgress):
    tokens = 0

    def advance(self, name: str, count: int, tokens: int = 0) -> None:
        super().advance(name, count, tokens)
        self.tokens += tokens


def _sentences(settings: Settings, store: Store) -> list[str]:
    [packs] = Plan(settings, store).packs.values()
    texts = [text for pack in packs for file in pack.files.values() for text in store.read_file(file)["text"].to_pylist()]
    return [text for text in dict.fromkeys(texts) if needs_model(text)]


def _tokens(folder: Path, sentences: list[str]) -> list[list[str]]:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "model" / SENTENCEPIECE))
    return [["eng_Latn", *encoded, "</s>"] for encoded in pieces.encode(sentences, out_type=str)]


def _translator(folder: Path, threads: int = 0) -> ctranslate2.Translator:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ctranslate2.Translator(str(folder / "model"), device="cpu", inter_threads=threads or cores, intra_threads=1)


def _bare(folder: Path, sentences: list[str], tokens: int, size: int, threads: int = 0) -> Spent:
    """`translate_batch` on everything at once."""
    batch = sorted(_tokens(folder, sentences), key=len, reverse=True)
    return _timed(_translator(folder, threads), [batch], tokens, max_batch_size=size, batch_type="tokens")


def _batch_tokens(settings: Settings) -> int:
    return translate._engine(model_of(settings), settings.translation).batch_tokens


def _batches(folder: Path, sentences: list[str], tokens: int, size: int) -> Spent:
    rows = _tokens(folder, sentences)
    return _timed(_translator(folder), [rows[start : start + size] for start in range(0, len(rows), size)], tokens)


def _timed(translator: ctranslate2.Translator, batches: list[list[list[str]]], tokens: int, **options: Any) -> Spent:
    written = 0
    processor, began = processor_seconds(), time.perf_counter()
    for batch in batches:
        results = translator.translate_batch(
            batch,
            target_prefix=[[CODE]] * len(batch),
            beam_size=1,
            max_decoding_length=tokens,
            max_input_length=0,
            return_scores=True,
            **options,
        )
        written += sum(len(result.hypotheses[0]) - 1 for result in results)
    return Spent(written, processor_seconds() - processor, time.perf_counter() - began)


def _transformers(checkpoint: Path, sentences: list[str], tokens: int) -> float:
    import torch
    from transformers import M2M100ForConditionalGeneration, NllbTokenizer

    tokenizer = NllbTokenizer.from_pretrained(str(checkpoint), src_lang="eng_Latn", local_files_only=True)
    model = M2M100ForConditionalGeneration.from_pretrained(str(checkpoint)).eval()
    start = tokenizer.convert_tokens_to_ids(CODE)
    written = 0
    began = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, len(sentences), 32):
            batch = tokenizer(sentences[first : first + 32], return_tensors="pt", padding=True)
            output = model.generate(**batch, forced_bos_token_id=start, max_new_tokens=tokens, num_beams=1, do_sample=False)
            written += int((output[:, 2:] != tokenizer.pad_token_id).sum())
    return written / (time.perf_counter() - began)


def _saving(store: Store, settings: Settings, folder: Path) -> None:
    """What translating unique sentences saves on a set with several questions a passage."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "model" / SENTENCEPIECE))
    [english] = Plan(settings, store).english_records().values()
    pairs = store.read_tables(english, "pairs").to_pylist()
    texts = {table: store.read_tables(english, table)["text"].to_pylist() for table in ("queries", "passages")}
    lengths = {table: [len(encoded) for encoded in pieces.encode(values)] for table, values in texts.items()}
    naive = sum(lengths["queries"][pair["query_row"]] + lengths["passages"][pair["passage_row"]] for pair in pairs)
    unique = sum(len(encoded) for encoded in pieces.encode(_sentences(settings, Store(str(folder / "store-0")))))
    print(f"tokens to translate: {unique:,} in unique sentences, {naive:,} row by row: {naive / unique:.1f} times as many")


def _two_over_one(folder: Path, text: Path, tokens: int, sentences: list[str], size: int, rounds: int) -> tuple[float, float]:
    """How much faster two processes of the stage are than one, and two threads of the engine; in turn, and the best of each counts."""
    workers: dict[int, list[float]] = {1: [], 2: []}
    threads: dict[int, list[float]] = {1: [], 2: []}
    for attempt in range(rounds):
        for count in (1, 2):
            workers[count].append(_seconds_of_workers(folder, f"workers-{attempt}-{count}", text, tokens, count))
            threads[count].append(_bare(folder, sentences, tokens, size, count).clock_speed)
    return min(workers[1]) / min(workers[2]), max(threads[2]) / max(threads[1])


def _seconds_of_workers(folder: Path, name: str, text: Path, tokens: int, count: int) -> float:
    """What so many processes of one thread each take on a store that they share."""
    shared = folder / name
    shared.mkdir()
    (shared / "model").symlink_to(folder / "model")
    settings = _project(shared, "profile.yaml", text, tokens, shard_sentences=120, inter_threads=1, intra_threads=1)
    store = Store(str(shared / "store"))
    prepare(settings, store)
    _segment(settings, store)
    command = [sys.executable, "-m", "benchmarks.translation", "--child", str(shared)]
    pipe = subprocess.PIPE
    parts = [f"{part}/{count}" for part in range(1, count + 1)]
    workers = [subprocess.Popen([*command, part], cwd=HOUSE, stdin=pipe, stdout=pipe, text=True) for part in parts]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.wait()
    if any(worker.returncode for worker in workers):
        raise SystemExit("a worker failed")
    return time.perf_counter() - began


def _segment(settings: Settings, store: Store) -> None:
    """The steps before translating."""
    plan = Plan(settings, store)
    for step in plan.steps("translate"):
        if step.do is translate.do:
            return
        run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))


def _worker(folder: Path, part: str) -> None:
    """A worker that has loaded its model and waits for the word: workers live long, starting is no part of the measurement."""
    settings = load_settings(str(folder / "profile.yaml"))
    translate._engine(model_of(settings), settings.translation)
    print("ready", flush=True)
    sys.stdin.readline()
    translate_stage(settings, Store(str(folder / "store")), LogProgress(), part)


if __name__ == "__main__":
    main()
