"""The manifest of a release: what it must say, and the seal that shows whether it was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import fingerprint

MANIFEST = "manifest.json"
FORMAT = 3
SCHEMA = Path(__file__).with_name("manifest.schema.json")
"""The JSON Schema of a manifest, as it is published."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Counts(_Part):
    """Rows read, kept and rejected by reason; kept + rejected = read."""

    read: int = Field(ge=0)
    kept: int = Field(ge=0)
    rejected: dict[str, int]


class TableRows(_Part):
    """Rows of the three tables."""

    queries: int = Field(ge=0)
    passages: int = Field(ge=0)
    pairs: int = Field(ge=0)


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
    fingerprint: str = Field(description="Of the card, its files and how they were cleaned.")
    rows: Counts = Field(description="Rows of the source itself.")
    cleaned: dict[str, int]
    merged: dict[str, dict[str, int]]
    provided: TableRows = Field(description="Rows that the release has from this source.")
    shared: TableRows = Field(description="Rows of this source that the release has from an earlier one.")
    languages: dict[str, TableCounts] = Field(description="By NLLB code, of the rows that it provides.")
    not_translated: list[str] = Field(
        default_factory=list, description="Languages of the release that it is not translated into; absent where there is none."
    )


class Licences(_Part):
    """What follows from the licences of the parts; parts are "source NAME" and "model NAME"."""

    parts: dict[str, str]
    non_commercial: list[str]
    share_alike: list[str]
    own_terms: list[str]
    decided_by_user: bool


class ModelFacts(_Part):
    """The translation model."""

    name: str
    licence: str
    fingerprint: str
    quantization: str | None


class EvaluationFacts(_Part):
    """Evaluation sets whose rows were kept out."""

    sets: list[dict[str, Any]]
    rules: dict[str, Any]
    rows_set_aside: dict[str, dict[str, int]]


class FileFacts(_Part):
    """One file of the release."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    rows: int | None = Field(None, ge=0, description="Of a Parquet file.")


class Manifest(_Part):
    """What `manifest.json` of a release holds."""

    format: Literal[3]
    version: str = Field(description="Name and fingerprint; the release's folder.")
    licence: str = Field(description="SPDX expression: the licences that hold together.")
    licences: Licences
    languages: list[str] = Field(min_length=1, description="NLLB codes, English first; bit b of a bit set is the b-th.")
    blocks: int = Field(
        ge=1, description="Shards of each table; shard k of `pairs` is of queries in shard k, and nearly all of its passages."
    )
    rows: TableRows
    rejected: dict[str, int] = Field(description="Rows of the table of rejected texts, by language.")
    sources: dict[str, SourceFacts]
    model: ModelFacts
    evaluation: EvaluationFacts
    settings: dict[str, Any] = Field(description="The profile; `release.seed` is that of the order of rows.")
    files: dict[str, FileFacts]
    seal: str = Field(pattern="^[0-9a-f]{16}$", description="Of everything else here: a changed manifest does not fit it.")


def languages_of(manifest: dict[str, Any], source: str) -> list[str]:
    """The languages of a release that have texts of a source: English, and those that it is translated into."""
    missing = manifest["sources"][source].get("not_translated", [])
    return [code for code in manifest["languages"] if code not in missing]


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
        manifest = json.loads(content)
        Manifest.model_validate(manifest)
    except ValidationError as error:
        return None, [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors(include_url=False)]
    except ValueError as error:
        return None, [f"no JSON: {error}"]
    if sealed(manifest)["seal"] != manifest["seal"]:
        return manifest, ["its seal does not fit its content: it was changed after it was written"]
    return manifest, []


def read_manifest(content: bytes, where: str) -> dict[str, Any]:
    """The manifest in `content`. Raises UserError that names `where` and the field."""
    manifest, wrong = manifest_faults(content)
    if manifest is None or wrong:
        raise UserError(f"{where}: {wrong[0]}: get the release again, or look at it with 'parallel-qa verify'")
    return manifest
