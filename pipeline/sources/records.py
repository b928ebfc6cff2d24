"""What every reader yields: pairs of a query and a passage that answers it, and rows that hold none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Passage(NamedTuple):
    """A text with its title, which may be empty."""

    title: str
    text: str
    key: str = ""  # the source's own id of it, where translations are joined by it


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of a source."""

    position: str  # file and place in it, for people
    source_id: str
    query: str
    passage: str
    title: str = ""
    answer: str = ""
    negatives: tuple[Passage, ...] = ()
    query_key: str = ""  # the source's own ids of the texts, where translations are joined by them
    passage_key: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that does not go on, with the reason."""

    position: str
    source_id: str
    reason: str
    query: str | None = None
    passage: str | None = None
    detail: str | None = None


def encodable(*texts: str | None) -> bool:
    """Whether texts can be written as UTF-8: they hold no bytes that are none, and no half of a surrogate pair."""
    try:
        for text in texts:
            (text or "").encode()
    except UnicodeEncodeError:
        return False
    return True


Rows = Iterator[Pair | SetAside]
