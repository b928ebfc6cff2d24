"""What people think of texts: the marks that the report exports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from parallel_qa.pipeline.errors import UserError

Marks = Mapping[tuple[str, str, str], bool]
"""Whether a text is good, by language (NLLB code), table ("queries" or "passages") and id."""


class _Mark(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: str
    table: Literal["queries", "passages"]
    id: str
    good: bool


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    name: str
    marks: list[_Mark]


def load_marks(path: Path) -> Marks:
    """The marks of a file that the report exported. Raises UserError that names the file, the mark and the field."""
    try:
        content = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where or 'the file'}: {first['msg']}: export the marks from the report again") from None
    return {(mark.language, mark.table, mark.id): mark.good for mark in content.marks}
