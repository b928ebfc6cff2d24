"""What a manifest claims, in types that checks can rely on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.parsing import one_line
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.reading.checks.faults import Fault
from parallel_qa.pipeline.settings import FilterSettings, ReleaseSettings

MOST_SEED = 2**63 - 1
"""Above, the keys that rows are sorted by could not be computed."""


class _Translation(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    model: str


class Profile(BaseModel):
    """The settings of a manifest, as far as something else in a release follows from them."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    sources: list[str]
    evaluation: list[str]
    languages: list[str] = Field(max_length=62)
    translation: _Translation
    filters: FilterSettings
    release: ReleaseSettings


@dataclass(frozen=True)
class Claims:
    """What a manifest claims that has the form of one."""

    manifest: Mapping[str, Any]
    profile: Profile

    @property
    def languages(self) -> list[str]:
        """NLLB codes, English first."""
        codes: list[str] = self.manifest["languages"]
        return codes

    @property
    def targets(self) -> list[str]:
        """NLLB codes without English."""
        return self.languages[1:]

    @property
    def blocks(self) -> int:
        """Shards of each table."""
        return int(self.manifest["blocks"])

    @property
    def seed(self) -> int:
        """That of the order of rows."""
        return self.profile.release.seed

    @property
    def sources(self) -> Mapping[str, dict[str, Any]]:
        """By name, what is said of a source."""
        facts: Mapping[str, dict[str, Any]] = self.manifest["sources"]
        return facts

    @property
    def files(self) -> Mapping[str, dict[str, Any]]:
        """By name, what is said of a file."""
        facts: Mapping[str, dict[str, Any]] = self.manifest["files"]
        return facts

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that have a shard for each block."""
        return frozenset(
            [
                *(f"{table}/{code}" for table in schema.TEXTS for code in self.languages),
                *(f"rejected/{code}/{table}" for table in schema.TEXTS for code in self.targets),
                "pairs",
            ]
        )

    def missing_from(self, code: str) -> list[str]:
        """The sources that are not translated into a language."""
        return [source for source, facts in self.sources.items() if code in facts.get("not_translated", [])]


def shard(folder: str, number: int) -> str:
    """The name of a file of a table."""
    return f"{folder}/{number:05d}.parquet"


def claims_of(manifest: Mapping[str, Any]) -> tuple[Claims | None, list[Fault]]:
    """The claims of a manifest, or None where its settings are none; and what is wrong with them."""
    try:
        profile = Profile.model_validate(manifest["settings"])
    except ValidationError as error:
        return None, list(_setting_faults(error))
    if profile.release.seed > MOST_SEED:
        return None, [Fault(MANIFEST, f"settings.release.seed is above {MOST_SEED}")]
    return Claims(manifest, profile), []


def _setting_faults(error: ValidationError) -> Iterator[Fault]:
    for entry in error.errors(include_url=False, include_input=False):
        place = ".".join(map(str, ("settings", *entry["loc"])))
        yield Fault(MANIFEST, f"{place[:80]}: {one_line(entry['msg'].removeprefix('Value error, '))}")
