"""Content that a person wrote, as a pydantic model, with errors that name the field and the remedy."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar, get_args

import pydantic
from pydantic import BaseModel

from parallel_qa.pipeline.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], content: dict[str, Any], where: str) -> Model:
    """`content` as a `model`; raises UserError that names `where`, the field and the remedy."""
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        raise UserError(f"{where}: {_explain(model, error)}") from None


def _explain(model: type[BaseModel], error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _fields(model, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {field!r}: {remedy}{more}"
    place = f"{field}: " if field else ""  # what several settings say together is nowhere
    return f"{place}{one_line(first['msg'].removeprefix('Value error, '))}{more}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if part not in model.model_fields:  # a place in a list of models, or a key
            continue
        annotation = model.model_fields[str(part)].annotation
        inner = next((kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return [name for name, field in model.model_fields.items() if not field.exclude]


def one_line(error: object) -> str:
    """The message of an error, in one line."""
    return " ".join(str(error).split())
