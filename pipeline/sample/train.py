"""Train the sample translation model from scratch on the phrase book (extra `train`).

    python -m parallel_qa.pipeline.sample.train

The result is a Hugging Face checkpoint with the files, the tokenizer class and the architecture of an
NLLB-200 checkpoint, only smaller, so that the code that converts and runs one runs the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

from parallel_qa.pipeline.languages import LANGUAGES as LANGUAGE_TABLE
from parallel_qa.pipeline.sample.phrasebook import LANGUAGES, PhraseBook, load
from parallel_qa.pipeline.translation.conversion import convert
from parallel_qa.pipeline.translation.model_finding import SAMPLE

CODES = {language: LANGUAGE_TABLE.by_tag(language).code for language in LANGUAGES}
PAD, EOS, UNK = 1, 2, 3
ENTRY_SHARE = 0.06  # of the training pairs, list entries on their own: titles and answers are such texts
TRAINING = "training.json"  # recipe and duration
POOL = 6144  # sentence pairs that are sorted by length together


@dataclass(frozen=True)
class Recipe:
    """What the released sample model was trained with; see its card for time and result."""

    vocabulary: int = 5800
    width: int = 256
    feed_forward: int = 1024
    encoder_layers: int = 3
    decoder_layers: int = 2
    heads: int = 4
    steps: int = 5000
    batch: int = 80  # sentence pairs
    warmup: int = 400
    learning_rate: float = 2e-3
    seed: int = 7


def pairs(book: PhraseBook, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """Endless (source language, source, target language, target), nothing held out among them."""
    rng = random.Random(seed)
    others = [language for language in LANGUAGES if language != "en"]
    templates = list(book.templates())
    entries = [entry for entries in book.lists.values() for entry in entries]
    while True:
        other = rng.choice(others)
        source, target = ("en", other) if rng.random() < 0.5 else (other, "en")
        if rng.random() < ENTRY_SHARE:
            entry = rng.choice(entries)
            yield source, entry[source]["_"], target, entry[target]["_"]
            continue
        record, template = rng.choice(templates)
        fact = book.draw(record, rng)
        if not fact.held_out(template):
            yield source, fact.say(template, source), target, fact.say(template, target)


def train_tokenizer(book: PhraseBook, recipe: Recipe, folder: Path) -> sentencepiece.SentencePieceProcessor:
    """Write `sentencepiece.bpe.model` into `folder`: one joint vocabulary, digits one by one."""
    corpus = folder / "corpus.txt"
    with corpus.open("w", encoding="utf-8") as file:
        for _, text, _, translation in itertools.islice(pairs(book, recipe.seed), 120_000):
            file.write(f"{text}\n{translation}\n")
        # Plain letters and signs, so that text from outside the phrase book is spelt and not unknown.
        for _ in range(200):
            file.write(" ".join("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"()-–%&/$€") + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "sentencepiece.bpe"),
        model_type="bpe",
        vocab_size=recipe.vocabulary,
        character_coverage=1.0,
        split_digits=True,
        # NLLB's own normalisation turns fullwidth punctuation into ASCII; ours must not.
        normalization_rule_name="identity",
        num_threads=2,
        minloglevel=2,
    )
    corpus.unlink()
    (folder / "sentencepiece.bpe.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))


def save_tokenizer(folder: Path) -> NllbTokenizer:
    """The Hugging Face files of the tokenizer, in NLLB's layout: pieces, then language codes, then the mask."""
    tokenizer: NllbTokenizer = NllbTokenizer.from_pretrained(
        str(folder), extra_special_tokens=list(CODES.values()), src_lang="eng_Latn", local_files_only=True
    )
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def batches(
    book: PhraseBook, spm: sentencepiece.SentencePieceProcessor, codes: dict[str, int], recipe: Recipe
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Endless (input ids, decoder input ids, labels), each of shape (batch, length), similar lengths together.

    As in NLLB: source `[code] pieces </s>`, target `</s> [code] pieces </s>`.
    """
    rng = random.Random(recipe.seed)
    stream = pairs(book, recipe.seed + 1)

    def ids(language: str, text: str) -> list[int]:
        # One more than SentencePiece's own ids: NLLB has a <pad> that its model file lacks.
        return [codes[language], *(piece + 1 for piece in spm.encode(text)), EOS]

    def pad(rows: list[list[int]], value: int) -> torch.Tensor:
        width = max(map(len, rows))
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    while True:
        pool = [(ids(a, x), ids(b, y)) for a, x, b, y in itertools.islice(stream, POOL)]
        pool.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        chunks = [pool[start : start + recipe.batch] for start in range(0, POOL, recipe.batch)]
        rng.shuffle(chunks)
        for chunk in chunks:
            target = [row for _, row in chunk]
            yield (
                pad([row for row, _ in chunk], PAD),
                pad([[EOS, *row[:-1]] for row in target], PAD),
                pad(target, -100),
            )


def train(recipe: Recipe, output: Path) -> None:
    """Train and write the checkpoint to `output`; prints the loss every 100 steps."""
    torch.manual_seed(recipe.seed)
    output.mkdir(parents=True)  # never over an older checkpoint, whose tokenizer would be taken for the new one
    book = load()
    spm = train_tokenizer(book, recipe, output)
    tokenizer = save_tokenizer(output)
    codes = {language: int(tokenizer.vocab[code]) for language, code in CODES.items()}
    config = M2M100Config(
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,  # as NLLB; they are computed, not learned
        d_model=recipe.width,
        encoder_layers=recipe.encoder_layers,
        decoder_layers=recipe.decoder_layers,
        encoder_ffn_dim=recipe.feed_forward,
        decoder_ffn_dim=recipe.feed_forward,
        encoder_attention_heads=recipe.heads,
        decoder_attention_heads=recipe.heads,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        dropout=0.05,
        attention_dropout=0.0,
        activation_dropout=0.0,
        bos_token_id=0,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=EOS,
        scale_embedding=True,
    )
    config.tokenizer_class = "NllbTokenizer"
    model = M2M100ForConditionalGeneration(config)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(tokenizer)} pieces", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)

    def rate(step: int) -> float:
        if step < recipe.warmup:
            return (step + 1) / recipe.warmup
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - recipe.warmup) / (recipe.steps - recipe.warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    began = time.monotonic()
    total = 0.0
    for step, (inputs, decoder_inputs, labels) in enumerate(batches(book, spm, codes, recipe), 1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(
                input_ids=inputs, attention_mask=(inputs != PAD).long(), decoder_input_ids=decoder_inputs, use_cache=False
            ).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), label_smoothing=0.05)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        total += loss.item()
        if step % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"step {step}/{recipe.steps}  loss {total / 100:.3f}  {minutes:.1f} min", flush=True)
            total = 0.0
        if step % 500 == 0 or step == recipe.steps:
            model.save_pretrained(str(output))
        if step == recipe.steps:
            break
    (output / TRAINING).write_text(json.dumps({**recipe.__dict__, "minutes": round((time.monotonic() - began) / 60, 1)}, indent=2) + "\n")


def main() -> None:
    """Train, and put the converted model where the profile `sample` finds it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoint"), help="new folder for the Hugging Face checkpoint")
    checkpoint = parser.parse_args().checkpoint
    train(Recipe(), checkpoint)
    install(checkpoint)


def install(checkpoint: Path) -> None:
    """Convert the checkpoint to int8 and replace the sample model's files by the result."""
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder) / "model"
        convert(checkpoint, converted, name="sample", licence="Apache-2.0", quantization="int8")
        shutil.copytree(converted, SAMPLE, dirs_exist_ok=True)
        shutil.copy(checkpoint / TRAINING, SAMPLE / TRAINING)


if __name__ == "__main__":
    main()
