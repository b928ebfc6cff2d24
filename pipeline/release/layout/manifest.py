"""The manifest of a release: what it must say, and the seal that shows whether it was changed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.parsing import one_line
from parallel_qa.pipeline.store import fingerprint

MANIFEST = "manifest.json"
FORMAT = 4
SCHEMA = Path(__file__).with_name("manifest.schema.json")
"""The JSON Schema of a manifest, as it is published."""

_MOST_BYTES = 2**28
_DEEPEST = 16
_LONGEST_PLACE = 80  # characters of the field that a fault is about


def _english_first(codes: list[str]) -> list[str]:
    if codes[0] != ENGLISH.code or len(set(codes)) < len(codes):
        raise ValueError(f"{ENGLISH.code} has to be the first, and none may stand twice")
    return codes


Count = Annotated[int, Field(ge=0, le=2**53)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LanguageCodes = Annotated[list[Annotated[str, Field(pattern="^[a-z]{3}_[A-Z][a-z]{3}$")]], Field(max_length=63)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Counts(_Part):
    """Rows read, kept and rejected by reason; kept + rejected = read."""

    read: Count
    kept: Count
    rejected: dict[str, Count]


class TableRows(_Part):
    """Rows of the three tables."""

    queries: Count
    passages: Count
    pairs: Count


class TableCounts(_Part):
    """What became of the rows of the three tables in one language."""

    queries: Counts
    passages: Counts
    pairs: Counts


class SourceFacts(_Part):
    """A source of the release."""

    title: str
    licence: str
    homepage: str | None
    citation: str | None
    revision: str | None = Field(None, description="The commit that its files are of; null where they are of none, or of several.")
    fingerprint: str = Field(description="Of the card, its files and how they were cleaned.")
    rows: Counts = Field(description="Rows of the source itself.")
    cleaned: dict[str, Count]
    merged: dict[str, dict[str, Count]]
    provided: TableRows = Field(description="Rows that the release has from this source.")
    shared: TableRows = Field(description="Rows of this source that the release has from an earlier one.")
    languages: dict[str, TableCounts] = Field(description="By NLLB code, of the rows that it provides.")
    not_translated: LanguageCodes = Field(
        default_factory=list, description="Languages of the release that it is not translated into; absent where there is none."
    )


class Licences(_Part):
    """What follows from the licences of the parts; parts are "source NAME" and "model NAME"."""

    parts: dict[str, str] = Field(description="SPDX expressions.")
    stated: dict[str, list[str]] = Field(default_factory=dict, description="What terms of a part's own ask, as its card states it.")
    attribution: list[str] = Field(default_factory=list, description="Parts whose authors have to be named.")
    non_commercial: list[str]
    share_alike: list[str]
    own_terms: list[str]
    conflicts: list[str] = Field(default_factory=list, description="Why the release may not be passed on, unless its publisher decides.")
    decided_by_user: bool


class ModelFacts(_Part):
    """A translation model."""

    name: str
    licence: str
    fingerprint: str
    quantization: str | None


class LanguageModels(_Part):
    """The models of one language."""

    there: ModelFacts = Field(description="Translated into it.")
    back: ModelFacts = Field(description="Translated back into English.")


class CandidateFacts(_Part):
    """What it changed in one language to decode among those pieces of the vocabulary that it needs."""

    pieces_there: Count
    pieces_back: Count
    units: Count = Field(description="Units of translations, there and back, that were decoded among them.")
    with_all_pieces: Count = Field(description="Units that were decoded again among all pieces, as too much came out otherwise.")
    checked: Count = Field(description="Sentences that were decoded among all pieces, too.")
    differing: Count = Field(description="Those that came out otherwise.")


class EvaluationFacts(_Part):
    """Evaluation sets whose rows were kept out."""

    sets: list[dict[str, Any]]
    rules: dict[str, Any]
    rows_set_aside: dict[str, dict[str, Count]]


class FileFacts(_Part):
    """One file of the release."""

    sha256: Sha256
    bytes: Count
    rows: Count | None = Field(None, description="Of a Parquet file.")
    rows_sha256: Sha256 | None = Field(None, description="Of a Parquet file: of its rows, whatever their encoding (docs/releases.md).")


class Manifest(_Part):
    """What `manifest.json` of a release holds."""

    format: Literal[4]
    version: str = Field(description="Name and fingerprint; the release's folder.")
    licence: str = Field(description="SPDX expression: the licences that hold together.")
    licences: Licences
    languages: Annotated[LanguageCodes, AfterValidator(_english_first)] = Field(
        min_length=1, description="NLLB codes, English first; bit b of a bit set is the b-th."
    )
    blocks: int = Field(
        ge=1, description="Shards of each table; shard k of `pairs` is of queries in shard k, and nearly all of its passages."
    )
    rows: TableRows
    rejected: dict[str, Count] = Field(description="Rows of the table of rejected texts, by language.")
    sources: dict[str, SourceFacts]
    model: ModelFacts
    models: dict[str, LanguageModels] = Field(
        default_factory=dict,
        description="By NLLB code, of languages where another one than `model` was used; absent where it is the only one.",
    )
    candidates: dict[str, CandidateFacts] = Field(
        default_factory=dict, description="By NLLB code, of languages that were decoded among candidates; absent where none was."
    )
    evaluation: EvaluationFacts
    settings: dict[str, Any] = Field(description="The profile; `release.seed` is that of the order of rows.")
    files: dict[FileName, FileFacts]
    seal: str = Field(pattern="^[0-9a-f]{16}$", description="Of everything else here: a changed manifest does not fit it.")

    @model_validator(mode="after")
    def _every_block_has_files(self) -> Manifest:
        if self.blocks > len(self.files):
            raise ValueError(f"blocks is {self.blocks}, and there are {len(self.files)} files")
        return self


def languages_of(manifest: dict[str, Any], source: str) -> list[str]:
    """The languages of a release that have texts of a source: English, and those that it is translated into."""
    missing = manifest["sources"][source].get("not_translated", [])
    return [code for code in manifest["languages"] if code not in missing]


def models_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that a release was made with, each once, `model` first."""
    used = [manifest["model"], *(facts for both in manifest.get("models", {}).values() for facts in (both["there"], both["back"]))]
    return [facts for number, facts in enumerate(used) if facts not in used[:number]]


def shards(manifest: dict[str, Any], folder: str) -> list[str]:
    """The files of a table, in order."""
    return sorted(name for name in manifest["files"] if name.rpartition("/")[0] == folder)


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """`manifest` with its seal."""
    content = {name: value for name, value in manifest.items() if name != "seal"}
    return content | {"seal": fingerprint(**content)}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}


def manifest_faults(content: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    """The manifest in `content`, or None where it is not one at all; and what is wrong with it."""
    try:
        manifest = _json_object(content)
    except ValueError as error:
        return None, [f"no JSON: {one_line(error)}"]
    if manifest.get("format", FORMAT) != FORMAT:
        return None, [
            f"format is {str(manifest['format'])[:_LONGEST_PLACE]}, and this version reads {FORMAT}: publish the release again from its "
            "store, or read it with the version of parallel-qa that made it"
        ]
    try:
        Manifest.model_validate(manifest)
    except ValidationError as error:
        return None, [
            f"{_place(entry['loc'])}{one_line(entry['msg'].removeprefix('Value error, '))}"
            for entry in error.errors(include_url=False, include_input=False)
        ]
    if sealed(manifest)["seal"] != manifest["seal"]:
        return manifest, ["its seal does not fit its content: it was changed after it was written"]
    return manifest, []


def _place(location: Sequence[int | str]) -> str:
    """Where in the manifest a fault is, with a colon; nothing where it is of the manifest as a whole."""
    place = ".".join(map(str, location))
    return f"{place[:_LONGEST_PLACE]}: " if place else ""


def _json_object(content: bytes) -> dict[str, Any]:
    """The object that is written in `content`, as JSON in UTF-8: finite numbers, names that stand once, bounded depth.

    Raises ValueError where there is none.
    """
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has {len(content)} bytes")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_each_once, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    layer: list[Any] = [value]
    for _ in range(_DEEPEST):
        layer = [
            inner for outer in layer for inner in (outer.values() if isinstance(outer, dict) else outer) if isinstance(inner, dict | list)
        ]
    if layer:
        raise ValueError(f"its brackets are nested more than {_DEEPEST} deep")
    json.dumps(value, ensure_ascii=False).encode()  # raises for half of a surrogate pair, which no file can hold
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return content


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:20]} is no finite number")
    return value


def read_manifest(content: bytes, where: str) -> dict[str, Any]:
    """The manifest in `content`. Raises UserError that names `where` and the field."""
    manifest, wrong = manifest_faults(content)
    if manifest is None or wrong:
        raise UserError(f"{where}: {wrong[0]}: get the release again, or look at it with 'parallel-qa verify'")
    return manifest
