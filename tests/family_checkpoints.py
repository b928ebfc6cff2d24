"""Tiny checkpoints with the files and classes of M2M-100, MADLAD-400 and OPUS-MT; random weights."""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

TEXT = ["The river is long and the town is old.", "Der Fluss ist lang und die Stadt ist alt.", "نهر طويل ومدينة قديمة.", "河很长，城很旧。"]


def pieces(folder: Path, name: str, **options: object) -> list[str]:
    """Train a SentencePiece model into `folder`; its pieces."""
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(f"{line} {number}" for number in range(200) for line in TEXT), encoding="utf-8")
    prefix = str(folder / name)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=prefix, vocab_size=200, model_type="bpe", minloglevel=2, **options
    )
    model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    for file in (corpus, Path(f"{prefix}.vocab")):
        file.unlink()
    return [model.id_to_piece(number) for number in range(model.get_piece_size())]


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def m2m100(folder: Path) -> Path:
    """As `facebook/m2m100_418M`: vocab.json, SentencePiece, language tokens `__de__` after the vocabulary."""
    folder.mkdir(parents=True)
    found = [piece for piece in pieces(folder, "sentencepiece.bpe") if piece not in ("<unk>", "<s>", "</s>")]
    vocabulary = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *found])}
    write_json(folder / "vocab.json", vocabulary)
    languages = [f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]]
    write_json(folder / "special_tokens_map.json", {"additional_special_tokens": languages})
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "M2M100Tokenizer", "additional_special_tokens": languages})
    config = M2M100Config(
        vocab_size=len(vocabulary) + 108, d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=256, scale_embedding=True,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    torch.manual_seed(1)
    M2M100ForConditionalGeneration(config).save_pretrained(str(folder))
    return folder


def madlad(folder: Path) -> Path:
    """As `google/madlad400-3b-mt`: T5 with language tokens `<2de>` among its pieces."""
    folder.mkdir(parents=True)
    languages = ["<2de>", "<2ar>", "<2zh>", "<2en>"]
    found = pieces(folder, "spiece", user_defined_symbols=languages, pad_id=1, eos_id=2, unk_id=0, bos_id=-1)
    special = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 0}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", **special})
    config = T5Config(
        vocab_size=len(found), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_decoder_layers=1, num_heads=2,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, pad_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    torch.manual_seed(1)
    T5ForConditionalGeneration(config).save_pretrained(str(folder))
    return folder


def opus(folder: Path, targets: tuple[str, ...] = ()) -> Path:
    """As `Helsinki-NLP/opus-mt-en-de`, or with `targets` such as ">>deu<<" as `opus-mt-en-mul`."""
    folder.mkdir(parents=True)
    found = pieces(folder, "source")
    (folder / "target.spm").write_bytes((folder / "source.model").read_bytes())
    (folder / "source.model").rename(folder / "source.spm")
    ordered = ["</s>", "<unk>", *targets, *(piece for piece in found if piece not in ("<unk>", "<s>", "</s>")), "<pad>"]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(ordered)})
    names = {"source_lang": "en", "target_lang": "mul" if targets else "de"}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer", **names})
    pad = len(ordered) - 1
    config = MarianConfig(
        vocab_size=len(ordered), decoder_vocab_size=len(ordered), d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=256, scale_embedding=True,
        activation_function="swish", static_position_embeddings=True, pad_token_id=pad, eos_token_id=0, bos_token_id=0,
        decoder_start_token_id=pad, forced_eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)
    MarianMTModel(config).save_pretrained(str(folder))
    return folder
