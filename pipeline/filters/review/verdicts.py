"""Verdicts: what people think of texts, as the report exports it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from parallel_qa.pipeline.errors import UserError

Verdicts = Mapping[tuple[str, str, str], bool]
"""Whether a text is good, by language (NLLB code), table ("queries" or "passages") and id."""


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: str
    table: Literal["queries", "passages"]
    id: str
    good: bool


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1, 2]
    name: str
    verdicts: list[_Verdict] = Field(validation_alias=AliasChoices("verdicts", "marks"))  # "marks" in format 1


def load_verdicts(path: Path) -> Verdicts:
    """The verdicts of a file that the report exported. Raises UserError that names the file, the verdict and the field."""
    try:
        content = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where or 'the file'}: {first['msg']}: export the verdicts from the report again") from None
    return {(verdict.language, verdict.table, verdict.id): verdict.good for verdict in content.verdicts}
