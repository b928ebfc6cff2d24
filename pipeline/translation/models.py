"""Model folders: a CTranslate2 model, its SentencePiece files and a description with checksums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES, Language
from parallel_qa.pipeline.store import fingerprint, sha256_of
from parallel_qa.pipeline.translation.families import FAMILIES, NLLB, Family

MODEL_FILE = "model.json"
SENTENCEPIECE = NLLB.pieces[0]
_ENGINE_FILES = ("model.bin", "config.json")
_SHARED_VOCABULARY = "shared_vocabulary.json"
VOCABULARIES = {"source": "source_vocabulary.json", "target": "target_vocabulary.json"}
"""Of a model whose two sides do not have the same."""
REQUIRED = (*_ENGINE_FILES, _SHARED_VOCABULARY, SENTENCEPIECE)
"""The files of a model of the NLLB family."""
_EOS = "</s>"


@dataclass(frozen=True)
class Model:
    """A translation model ready to run."""

    folder: Path
    name: str
    licence: str | None
    quantization: str | None
    checksums: Mapping[str, str]
    family: Family
    tokens: Mapping[str, str]  # NLLB code -> the language's token
    pair: tuple[str, str] | None = None  # of a model for one pair without language tokens: NLLB codes of source and target
    identity: str | None = None
    """Of a converted model what it was converted from, as a fingerprint."""
    target: str | None = None
    """NLLB code of the one language that a model can write whose target's vocabulary was cut."""

    @property
    def fingerprint(self) -> str:
        """What the model is: where it comes from, whichever converter wrote it; its own files where that is not known."""
        return self.identity or self.of_files

    @property
    def of_files(self) -> str:
        """A fingerprint of the model's files, which stores of older versions know a converted model by."""
        return fingerprint(**self.checksums)

    @property
    def codes(self) -> frozenset[str]:
        """NLLB codes of the languages that the model knows."""
        return frozenset(self.pair or self.tokens)

    @property
    def pieces(self) -> tuple[Path, Path]:
        """The SentencePiece files of the source and of the target."""
        return self.folder / self.family.pieces[0], self.folder / self.family.pieces[1]

    def check_direction(self, source: Language, target: Language) -> None:
        """Raises UserError where the model does not translate from `source` to `target`."""
        if self.target and target.code != self.target:
            raise UserError(f"model {self.name!r} was cut to what {self.target} needs: it does not translate into {target.code}")
        if self.pair:
            if (source.code, target.code) != self.pair:
                raise UserError(
                    f"model {self.name!r} translates from {self.pair[0]} to {self.pair[1]} only, not from {source.code} to {target.code}"
                )
            return
        needed = (source, target) if self.family.source == "source" else (target,)
        for language in needed:
            if language.code not in self.tokens:
                raise UserError(
                    f"model {self.name!r} does not know {language.code} ({language.name}); it knows {', '.join(sorted(self.codes))}"
                )

    def source_frame(self, source: Language, target: Language) -> tuple[list[str], list[str]]:
        """What stands before and after the pieces of a sentence."""
        if self.pair:
            return [], [_EOS]
        language = source if self.family.source == "source" else target
        return [self.tokens[language.code]], [_EOS]

    def target_prefix(self, target: Language) -> list[str]:
        """With what the output begins; it is no part of the translation."""
        return [self.tokens[target.code]] if self.family.prefix else []


def open_model(folder: Path) -> Model:
    """The model in `folder`, every file checked against the description where there is one.

    Raises UserError where a file is missing or is not the one described.
    """
    model = described_model(folder)
    expected = _description(folder).get("sha256", {})
    for name in _required(folder, model.family):
        if name in expected and sha256_of(folder / name) != expected[name]:
            raise UserError(f"model {folder}: {name} is damaged (its checksum is wrong): convert or download the model again")
    return model


def _description(folder: Path) -> dict[str, Any]:
    if not (folder / MODEL_FILE).is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"model {folder}: {MODEL_FILE} is damaged ({error}): convert or download the model again") from None
    return content


def _required(folder: Path, family: Family) -> tuple[str, ...]:
    apart = tuple(VOCABULARIES.values())
    shared = (folder / _SHARED_VOCABULARY).is_file() or not any((folder / name).is_file() for name in apart)
    return tuple(dict.fromkeys((*_ENGINE_FILES, *((_SHARED_VOCABULARY,) if shared else apart), *family.pieces)))


def described_model(folder: Path) -> Model:
    """The model in `folder` as its description has it; checksums are computed only where there is none.

    Raises UserError where a file is missing.
    """
    description = _description(folder)
    family = FAMILIES[description.get("family", NLLB.name)]
    required = _required(folder, family)
    for name in required:
        if not (folder / name).is_file():
            raise UserError(f"model {folder}: the file {name} is missing: convert or download the model again")
    described = description.get("sha256", {})
    checksums = {name: described[name] if name in described else sha256_of(folder / name) for name in required}
    pair = description.get("pair")
    return Model(
        folder,
        description.get("name", folder.name),
        description.get("licence"),
        description.get("quantization"),
        checksums,
        family,
        family.language_tokens(vocabulary(folder)),
        (pair[0], pair[1]) if pair else None,
        description.get("identity"),
        description.get("target"),
    )


def describe(
    folder: Path,
    *,
    name: str,
    licence: str | None,
    quantization: str | None,
    family: Family = NLLB,
    pair: tuple[str, str] | None = None,
    identity: str | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """The content of a model folder's `model.json`; `identity` is a fingerprint of what the model was converted from.

    `target` is the code of the one language that a cut model writes.
    """
    described: dict[str, Any] = {"name": name, "licence": licence, "quantization": quantization}
    if identity:
        described["identity"] = identity
    if family != NLLB:
        described["family"] = family.name
    if pair:
        described["pair"] = list(pair)
    if target:
        described["target"] = target
    return described | {"sha256": {file: sha256_of(folder / file) for file in _required(folder, family)}}


def vocabulary(folder: Path, side: Literal["source", "target"] = "source") -> list[str]:
    """The vocabulary of a CTranslate2 model, of the one side where the other has another."""
    shared = folder / _SHARED_VOCABULARY
    tokens: list[str] = json.loads((shared if shared.is_file() else folder / VOCABULARIES[side]).read_text(encoding="utf-8"))
    return tokens


def language_of_name(name: str) -> Language | None:
    """The language that a two- or three-letter code of a checkpoint means: "de", "deu"."""
    by_three = (language for language in LANGUAGES if language.code.split("_")[0] == name)
    by_tag = (language for language in LANGUAGES if language.tag == name)
    return next(by_tag, None) or next(by_three, None)
