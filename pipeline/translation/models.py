"""Model folders: a CTranslate2 model, its SentencePiece file and a description with checksums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.languages import Language
from pipeline.store import fingerprint, sha256_of

MODEL_FILE = "model.json"
SENTENCEPIECE = "sentencepiece.bpe.model"
REQUIRED = ("model.bin", "config.json", "shared_vocabulary.json", SENTENCEPIECE)


@dataclass(frozen=True)
class Model:
    """A translation model ready to run."""

    folder: Path
    name: str
    licence: str | None
    quantization: str | None
    checksums: Mapping[str, str]
    codes: frozenset[str]  # NLLB codes that its vocabulary holds

    @property
    def fingerprint(self) -> str:
        return fingerprint(**self.checksums)

    def check_language(self, language: Language) -> None:
        """Raises UserError where the model has no token for `language`."""
        if language.code not in self.codes:
            raise UserError(
                f"model {self.name!r} does not know {language.code} ({language.name}); it knows {', '.join(sorted(self.codes))}"
            )


def open_model(folder: Path) -> Model:
    """The model in `folder`, every file checked against the description where there is one.

    Raises UserError where a file is missing or is not the one described.
    """
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise UserError(f"model {folder}: the file {name} is missing: convert or download the model again")
    description: dict[str, Any] = {}
    if (folder / MODEL_FILE).is_file():
        description = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    checksums = {name: sha256_of(folder / name) for name in REQUIRED}
    for name, expected in description.get("sha256", {}).items():
        if checksums.get(name) != expected:
            raise UserError(f"model {folder}: {name} is damaged (its checksum is wrong): convert or download the model again")
    return Model(
        folder,
        description.get("name", folder.name),
        description.get("licence"),
        description.get("quantization"),
        checksums,
        language_codes(folder),
    )


def describe(folder: Path, *, name: str, licence: str | None, quantization: str) -> dict[str, Any]:
    """The content of a model folder's `model.json`."""
    checksums = {file: sha256_of(folder / file) for file in REQUIRED}
    return {"name": name, "licence": licence, "quantization": quantization, "sha256": checksums}


def language_codes(folder: Path) -> frozenset[str]:
    """The NLLB language codes in the vocabulary of a CTranslate2 model."""
    tokens = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    # "deu_Latn": three letters, a script of four
    return frozenset(t for t in tokens if len(t) == 8 and t[3] == "_" and t[:3].islower() and t[4].isupper() and t[5:].islower())
