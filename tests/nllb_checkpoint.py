"""A tiny checkpoint with the files, tokenizer class and layout of `facebook/nllb-200-distilled-600M`; random weights."""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece
import torch
from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

TEXT = ["The river is long and the town is old.", "Der Fluss ist lang und die Stadt ist alt.", "نهر طويل ومدينة قديمة.", "河很长，城很旧。"]


def make_checkpoint(folder: Path, *, safetensors: bool = False) -> Path:
    """Write the checkpoint; its weights are a `pytorch_model.bin`, as on the hub, or a `model.safetensors`."""
    folder.mkdir(parents=True)
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(f"{line} {number}" for number in range(200) for line in TEXT), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "sentencepiece.bpe"), model_type="bpe", vocab_size=200, minloglevel=2
    )
    corpus.unlink()
    (folder / "sentencepiece.bpe.vocab").unlink()
    tokenizer = NllbTokenizer.from_pretrained(str(folder), extra_special_tokens=FAIRSEQ_LANGUAGE_CODES, local_files_only=True)
    tokenizer.save_pretrained(str(folder))
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    (folder / "special_tokens_map.json").write_text(json.dumps({**special, "additional_special_tokens": list(FAIRSEQ_LANGUAGE_CODES)}))
    torch.manual_seed(1)
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=1024, scale_embedding=True,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    config.tokenizer_class = "NllbTokenizer"
    model = M2M100ForConditionalGeneration(config)
    model.save_pretrained(str(folder))
    if not safetensors:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder
