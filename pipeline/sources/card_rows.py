"""The rows of a card, mapped: pairs, and what is set aside."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.sources.joined import read_joined, tables_of_beir
from parallel_qa.pipeline.sources.mapping import SQUAD, Mapper, Raw
from parallel_qa.pipeline.sources.reading import raw_rows
from parallel_qa.pipeline.sources.records import Rows, SetAside

_FIRST = 100
"""If none of so many rows has what the card maps, the card is wrong and not the rows."""


def read_rows(card: Card) -> Rows:
    """The rows of `card`, in order. Raises UserError where a file cannot be read or is of another form than the card says."""
    if card.format == "beir":
        card = tables_of_beir(card)
        if not (card.queries and card.passages and card.links):
            raise UserError(f"{card.path}: a BEIR folder to train on has corpus.jsonl, queries.jsonl and qrels/{card.split or 'test'}.tsv")
    if card.joined:
        yield from _refuse_unmappable(card, read_joined(card), set())
        return
    mapper = Mapper(card.rows or SQUAD)
    seen: set[str] = set()
    raws = _with_columns_noted(raw_rows(card, card, mapper.columns), seen)
    yield from _refuse_unmappable(card, mapper.rows(raws), seen)


def _with_columns_noted(raws: Iterator[Raw | SetAside], seen: set[str]) -> Iterator[Raw | SetAside]:
    """`raws`; the columns of the first ones are put into `seen`."""
    for number, raw in enumerate(raws):
        if number < _FIRST and isinstance(raw, Raw):
            seen.update(raw.row)
        yield raw


def _refuse_unmappable(card: Card, rows: Rows, seen: set[str]) -> Rows:
    """`rows`. Raises UserError where not one of the first can be mapped; `seen` are the columns that the files have."""
    first = list(itertools.islice(rows, _FIRST))
    if len(first) == _FIRST and all(isinstance(row, SetAside) and row.reason in ("no_query", "no_passage", "malformed") for row in first):
        reason = first[0].reason if isinstance(first[0], SetAside) else ""
        raise UserError(
            f"{card.path}: rows: none of the first {_FIRST} rows can be mapped ({reason}); "
            f"their columns are {_printable(', '.join(sorted(seen))) or 'unknown'}: correct the expressions of the card"
        )
    yield from first
    yield from rows


def _printable(names: str) -> str:
    return names.encode(errors="backslashreplace").decode()
