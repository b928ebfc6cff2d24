"""Data cards: one Markdown file a source, whose YAML front matter is the source's configuration."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

import fsspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.errors import UserError
from pipeline.settings import HOUSE, PlainName, Settings, parse

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)


class Card(BaseModel):
    """What a card's front matter says, and where the card stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PlainName
    """Names the source in the store and in every pair."""
    title: str
    """One line for people."""
    format: Literal["squad"]
    """`squad`: SQuAD JSON, also gzipped."""
    files: list[str] = Field(min_length=1)
    """Paths relative to the card, or addresses such as `s3://…`."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """Checksum of a file, by the name it has in `files`."""
    licence: str = Field(min_length=1)
    """SPDX identifier where there is one, such as `CC-BY-SA-4.0`."""
    homepage: str | None = None
    citation: str | None = None
    """BibTeX."""
    path: Path = Field(exclude=True)

    @field_validator("licence")
    @classmethod
    def _not_blank(cls, licence: str) -> str:
        if not licence.strip():
            raise ValueError("name the licence, such as CC-BY-SA-4.0")
        return licence

    def locate(self, file: str) -> str:
        """The address of one of `files`."""
        return file if "://" in file else str((self.path.parent / file).resolve())

    def read(self, file: str) -> bytes:
        """The content of one of `files`, unpacked. Raises UserError if it is missing or not the file described."""
        address = self.locate(file)
        try:
            with fsspec.open(address, "rb") as raw:
                content: bytes = raw.read()
        except (OSError, ValueError, ImportError) as error:
            raise UserError(f"{self.path}: file {file!r} cannot be read: {error}") from None
        expected = self.sha256.get(file)
        if expected and hashlib.sha256(content).hexdigest() != expected:
            raise UserError(f"{self.path}: file {file!r} has another SHA-256 than the card says: it is not the file described")
        return content


def load_card(settings: Settings, name: str) -> Card:
    """The card `name`: a file in `data_cards/`, or a path relative to the profile. Raises UserError."""
    path = settings.folder / name if name.endswith(".md") else HOUSE / "data_cards" / f"{name}.md"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (HOUSE / "data_cards").glob("*.md")))
        raise UserError(f"no data card {name!r}: give the path of a .md file, or one of {known}")
    match = _FRONT_MATTER.match(path.read_text(encoding="utf-8"))
    if not match:
        raise UserError(f"{path}: a data card begins with YAML between two lines of ---")
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise UserError(f"{path}: front matter cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(front, dict):
        raise UserError(f"{path}: the front matter is a YAML mapping, see data_cards/sample-qa.md")
    if "licence" not in front:
        raise UserError(f"{path}: the card has no licence: add a line such as 'licence: CC-BY-SA-4.0'")
    return parse(Card, front | {"path": path}, str(path))
