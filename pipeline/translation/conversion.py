"""Hugging Face checkpoints of the NLLB family into CTranslate2 models (extra `convert`)."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from pipeline.errors import UserError
from pipeline.translation.models import MODEL_FILE, SENTENCEPIECE, Model, describe, language_codes, open_model

CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model-*.bin",
    SENTENCEPIECE,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
"""What a checkpoint may consist of; nothing else of a repository is downloaded."""


def convert(checkpoint: Path, output: Path, *, name: str, licence: str | None, quantization: str) -> Model:
    """Convert the checkpoint folder into the model folder `output`, which appears whole or not at all.

    Weights are read from safetensors, or from a `.bin` file by PyTorch's weights-only loader. Raises
    UserError where the folder is no checkpoint of the family or PyTorch is not installed.
    """
    _check(checkpoint)
    try:
        from ctranslate2.converters import TransformersConverter
        from transformers.utils import logging as transformers_logging
    except ImportError:
        raise UserError("converting a model needs PyTorch: pip install 'parallel-qa[convert]'") from None
    transformers_logging.disable_progress_bar()
    output.parent.mkdir(parents=True, exist_ok=True)
    building = output.parent / f".{output.name}-{uuid.uuid4().hex}"
    try:
        converter = TransformersConverter(str(checkpoint), copy_files=[SENTENCEPIECE], low_cpu_mem_usage=True)
        try:
            converter.convert(str(building), quantization=quantization)
        except Exception as error:  # a foreign checkpoint may be wrong in any way
            if type(error).__name__ == "UnpicklingError":  # PyTorch's own message advises to load it all the same
                raise UserError(
                    f"{checkpoint}: cannot be converted: its .bin file is damaged or holds more than weights, and was not loaded: "
                    "download it again, or use a checkpoint with safetensors"
                ) from None
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{checkpoint}: cannot be converted: {reason}") from None
        if not language_codes(building):
            raise UserError(f"{checkpoint}: its tokenizer has no language codes such as deu_Latn: tokenizer.json is missing or another one")
        description = describe(building, name=name, licence=licence, quantization=quantization)
        (building / MODEL_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        building.replace(output)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return open_model(output)


def _check(checkpoint: Path) -> None:
    config = checkpoint / "config.json"
    if not config.is_file():
        raise UserError(f"{checkpoint}: no Hugging Face checkpoint: it has no config.json")
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{config}: cannot be read as JSON: {error}") from None
    model_type = content.get("model_type") if isinstance(content, dict) else None
    if model_type != "m2m_100":
        raise UserError(f"{checkpoint}: model_type is {model_type!r}; NLLB-200 checkpoints are 'm2m_100'")
    if not (checkpoint / SENTENCEPIECE).is_file():
        raise UserError(f"{checkpoint}: {SENTENCEPIECE} is missing")
    if not any(checkpoint.glob("model*.safetensors")) and not any(checkpoint.glob("pytorch_model*.bin")):
        raise UserError(f"{checkpoint}: no weights: model.safetensors or pytorch_model.bin is missing")
