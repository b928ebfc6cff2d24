"""What every reader yields: pairs of a query and a passage that answers it, and rows that hold none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """One row of a source."""

    position: str  # file and place in it, for people
    source_id: str
    query: str
    passage: str
    title: str = ""
    answer: str = ""


@dataclass(frozen=True)
class SetAside:
    """A row that does not go on, with the reason."""

    position: str
    source_id: str
    reason: str
    query: str | None = None
    passage: str | None = None


Rows = Iterator[Pair | SetAside]
