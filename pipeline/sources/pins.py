"""The file `pins.yaml` beside a profile: the commits that a user has chosen for cards that come with the project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, RootModel

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import COMMIT
from parallel_qa.pipeline.parsing import one_line, parse
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.store import Store

PINS = "pins.yaml"
_SHIPPED = (HOUSE / "profiles", HOUSE / "data_cards")


def _commit(text: str) -> str:
    if not COMMIT.fullmatch(text):
        raise ValueError(f"{text!r} is no commit: give its 40 hexadecimal digits")
    return text


class _Pins(RootModel[dict[str, Annotated[str, AfterValidator(_commit)]]]):
    """A commit by the name of a card."""


def read_pins(folder: Path) -> dict[str, str]:
    """The commits that `pins.yaml` in `folder` names, by card; none where there is no such file. Raises UserError."""
    path = folder / PINS
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {one_line(error)}") from None
    if not isinstance(content or {}, dict):
        raise UserError(f"{path}: it maps names of cards to commits: remove it and run 'parallel-qa sources pin' again")
    return parse(_Pins, content or {}, str(path)).root


def write_pin(folder: Path, card: str, commit: str) -> Path:
    """Name the commit of a card in `pins.yaml` in `folder`, beside those that are there; the file. Raises UserError."""
    path = folder / PINS
    content = "".join(
        [
            "# Commits of data cards, for the profiles in this folder; written by 'parallel-qa sources pin'.\n",
            yaml.safe_dump({**read_pins(folder), card: commit}, sort_keys=True),
        ]
    )
    try:
        Store(str(folder.resolve(strict=True)), writable=False).write(PINS, content.encode())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}): run this where the folder is writable, "
            f"or put the line '{card}: {commit}' there yourself"
        ) from None
    return path


def shipped(path: Path) -> bool:
    """Whether `path` is among the profiles and cards that come with the project."""
    return any(path.resolve().is_relative_to(folder) for folder in _SHIPPED)
