"""Hugging Face checkpoints of a known family into CTranslate2 models (extra `convert`)."""

from __future__ import annotations

import fnmatch
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.store import fingerprint, sha256_of
from parallel_qa.pipeline.translation.families import FAMILIES, OPUS, family_of
from parallel_qa.pipeline.translation.models import MODEL_FILE, Model, describe, language_of_name, open_model, vocabulary

GERMAN = LANGUAGES.find("de")
_PIECES = sorted({file for family in FAMILIES.values() for file in family.pieces})

CHECKPOINT_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model-*.bin",
    *_PIECES,
    "vocab.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
"""What a checkpoint may consist of; nothing else of a repository is downloaded."""


def convert(checkpoint: Path, output: Path, *, name: str, licence: str | None, quantization: str, identity: str | None = None) -> Model:
    """Convert the checkpoint folder into the model folder `output`, which appears whole or not at all.

    `identity` stands for what is converted; a fingerprint of the checkpoint's files if not given.

    Weights are read from safetensors, or from a `.bin` file by PyTorch's weights-only loader. Raises
    UserError where the folder is no checkpoint of a known family or PyTorch is not installed.
    """
    model_type = _check(checkpoint)
    try:
        from ctranslate2.converters import TransformersConverter
        from transformers.utils import logging as transformers_logging
    except ImportError:
        raise UserError("converting a model needs PyTorch: pip install 'parallel-qa[convert]'") from None
    transformers_logging.disable_progress_bar()
    output.parent.mkdir(parents=True, exist_ok=True)
    building = output.parent / f".{output.name}-{uuid.uuid4().hex}"
    pieces = [file for file in _PIECES if (checkpoint / file).is_file()]
    try:
        converter = TransformersConverter(str(checkpoint), copy_files=pieces, low_cpu_mem_usage=True)
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
        family = family_of(model_type, vocabulary(building))
        assert family is not None  # `_check` knows the type
        pair = None
        if not family.language_tokens(vocabulary(building)):
            if family != OPUS:
                raise UserError(
                    f"{checkpoint}: its tokenizer has no language codes such as {family.tokens(GERMAN)[0]}: "
                    "tokenizer.json is missing or another one"
                )
            pair = _pair(checkpoint)
        licence = licence or family.licence
        identity = identity or checkpoint_identity(checkpoint, quantization)
        description = describe(building, name=name, licence=licence, quantization=quantization, family=family, pair=pair, identity=identity)
        (building / MODEL_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        building.replace(output)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return open_model(output)


def checkpoint_identity(checkpoint: Path, quantization: str) -> str:
    """A fingerprint of the files of a checkpoint that matter, and of the weights that are made of them."""
    names = checkpoint_files(sorted(path.name for path in checkpoint.iterdir() if path.is_file()))
    return fingerprint(checkpoint={name: sha256_of(checkpoint / name) for name in names}, quantization=quantization)


def checkpoint_files(names: list[str]) -> list[str]:
    """Those of the files of a repository or folder that conversion needs; of safetensors and `.bin` the former."""
    known = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in CHECKPOINT_FILES)]
    if any(name.endswith(".safetensors") for name in known):
        known = [name for name in known if not name.startswith("pytorch_model")]
    return known


def _check(checkpoint: Path) -> str:
    """The checkpoint's `model_type`."""
    content = _read(checkpoint, "config.json")
    model_type = content.get("model_type")
    families = {family.model_type: family for family in FAMILIES.values()}
    if model_type not in families:
        raise UserError(
            f"{checkpoint}: model_type is {model_type!r}; NLLB-200 and M2M-100 are 'm2m_100', MADLAD-400 't5', OPUS-MT 'marian'"
        )
    for name in families[model_type].pieces:
        if not (checkpoint / name).is_file():
            raise UserError(f"{checkpoint}: {name} is missing")
    if not any(checkpoint.glob("model*.safetensors")) and not any(checkpoint.glob("pytorch_model*.bin")):
        raise UserError(f"{checkpoint}: no weights: model.safetensors or pytorch_model.bin is missing")
    return str(model_type)


def _read(checkpoint: Path, name: str) -> dict[str, Any]:
    path = checkpoint / name
    if not path.is_file():
        raise UserError(f"{checkpoint}: no Hugging Face checkpoint: it has no {name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as JSON: {error}") from None
    return content if isinstance(content, dict) else {}


def _pair(checkpoint: Path) -> tuple[str, str]:
    """The two languages of an OPUS-MT model without language tokens."""
    names = _read(checkpoint, "tokenizer_config.json")
    found = [language_of_name(str(names.get(key))) for key in ("source_lang", "target_lang")]
    if found[0] is None or found[1] is None:
        raise UserError(
            f"{checkpoint}: tokenizer_config.json does not say which two languages the model is for: "
            "add source_lang and target_lang, such as 'en'"
        )
    return found[0].code, found[1].code
