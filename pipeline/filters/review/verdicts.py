"""Verdicts: what people think of texts, as the report exports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from parallel_qa.pipeline.errors import UserError

Table = Literal["queries", "passages"]


@dataclass(frozen=True)
class Verdict:
    """What a person thinks of one text."""

    good: bool
    source: str | None = None
    """Where the text was shown; None in files of earlier versions."""
    at_random: bool = False
    """Whether the text was drawn at random, and not chosen by what the checks or the person thought of it."""


@dataclass(frozen=True)
class Verdicts:
    """What people think of texts, and what those texts were drawn from."""

    of_texts: Mapping[tuple[str, str, str], Verdict]
    """By language (NLLB code), table ("queries" or "passages") and id."""
    drawn_from: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """By source, language and table the number of texts that those judged at random were drawn from."""


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: str
    table: Table
    id: str
    good: bool
    source: str | None = None
    sample: Literal["random", "rejected", "side_by_side"] | None = None


class _Stratum(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    language: str
    table: Table
    texts: int = Field(ge=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1, 2, 3]
    name: str
    verdicts: list[_Verdict] = Field(validation_alias=AliasChoices("verdicts", "marks"))  # "marks" in format 1
    drawn_from: list[_Stratum] = Field(default_factory=list)


def load_verdicts(path: Path) -> Verdicts:
    """The verdicts of a file that the report exported. Raises UserError that names the file, the verdict and the field.

    Files of formats 1 and 2 do not say how a text was drawn: none of theirs counts as drawn at random.
    """
    try:
        content = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where or 'the file'}: {first['msg']}: export the verdicts from the report again") from None
    return Verdicts(
        {
            (verdict.language, verdict.table, verdict.id): Verdict(verdict.good, verdict.source, verdict.sample == "random")
            for verdict in content.verdicts
        },
        {(stratum.source, stratum.language, stratum.table): stratum.texts for stratum in content.drawn_from},
    )
