"""The stage `download`: from data cards to unique, clean English queries, passages and pairs.

Makes the units `english/SOURCE`, each with the tables `queries`, `passages`, `pairs` and `rejected`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UserError
from pipeline.progress import Progress
from pipeline.settings import Settings
from pipeline.sources.card import Card, load_card
from pipeline.sources.cleaning import clean, comparable, fault
from pipeline.sources.pairs import Pair, Rows, SetAside
from pipeline.sources.squad import read_squad
from pipeline.store import Store, UnitWriter, fingerprint
from pipeline.work import Outcome, Unit, run_units, versions

VERSION = 1
"""Raise it when the stage makes something else of the same input."""

READERS = {"squad": read_squad}


def download(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Make the English tables of every source of the run.

    Raises UserError where a card or one of its files cannot be used.
    """
    return run_units(units(settings), do, settings, store, progress)


def units(settings: Settings) -> list[Unit]:
    """One unit a source. Reads the cards and checksums their local files."""
    cards = [load_card(settings, name) for name in settings.sources]
    for first, second in itertools.combinations(cards, 2):
        if first.name == second.name:
            raise UserError(f"sources: {first.path} and {second.path} are both named {first.name!r}: rename one")
    tools = versions("beautifulsoup4")
    evaluation = [_identity(load_card(settings, name)) for name in settings.evaluation]
    cleaning = settings.cleaning.model_dump()
    return [
        Unit(
            f"english/{card.name}",
            fingerprint(stage="download", version=VERSION, tools=tools, card=_identity(card), evaluation=evaluation, cleaning=cleaning),
            card.name,
        )
        for card in cards
    ]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Read, clean and deduplicate one source and write its tables."""
    card = next(card for card in (load_card(settings, name) for name in settings.sources) if card.name == unit.source)
    progress.start(unit.path, 0, "rows")
    tables = _Tables(_evaluation_texts(settings))
    for row in READERS[card.format](card):
        tables.add(row, settings)
        progress.advance(unit.path, 1)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        tables.write(writer, card.name, settings.cleaning.shard_rows)
    progress.finish(unit.path)


def _identity(card: Card) -> dict[str, object]:
    """All of a card that decides what is read from it."""
    files = {file: hashlib.sha256(card.read(file)).hexdigest() for file in card.files}
    return {"name": card.name, "format": card.format, "files": files}


def _evaluation_texts(settings: Settings) -> frozenset[str]:
    texts: set[str] = set()
    for name in settings.evaluation:
        card = load_card(settings, name)
        rows: Rows = READERS[card.format](card)
        for row in rows:
            texts.update(comparable(clean(text)) for text in (row.query, row.passage) if text)
    return frozenset(texts)


def text_id(*parts: str) -> str:
    """The id of a text: the same text has the same id in every source and every run."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass
class _Tables:
    """Unique texts and the pairs between them, as rows arrive."""

    evaluation: frozenset[str]
    queries: dict[str, int] = field(default_factory=dict)
    passages: dict[tuple[str, str], int] = field(default_factory=dict)
    links: set[tuple[int, int]] = field(default_factory=set)
    pairs: list[dict[str, object]] = field(default_factory=list)
    rejected: list[SetAside] = field(default_factory=list)

    def add(self, row: Pair | SetAside, settings: Settings) -> None:
        if isinstance(row, SetAside):
            self.rejected.append(row)
            return
        query, passage, title = clean(row.query), clean(row.passage), clean(row.title)
        reason = (
            fault(query, "query", settings.cleaning)
            or fault(passage, "passage", settings.cleaning)
            or ("evaluation_query" if comparable(query) in self.evaluation else None)
            or ("evaluation_passage" if comparable(passage) in self.evaluation else None)
        )
        link = None if reason else self._link(query, title, passage)
        if link in self.links:
            reason = "duplicate"
        if reason or link is None:
            self.rejected.append(SetAside(row.position, row.source_id, reason or "", row.query, row.passage))
            return
        self.links.add(link)
        self.pairs.append(
            {
                "query_row": link[0],
                "passage_row": link[1],
                "negative_rows": [],
                "source_id": row.source_id,
                "answer": clean(row.answer),
            }
        )

    def _link(self, query: str, title: str, passage: str) -> tuple[int, int]:
        return (
            self.queries.setdefault(query, len(self.queries)),
            self.passages.setdefault((title, passage), len(self.passages)),
        )

    def write(self, writer: UnitWriter, source: str, shard_rows: int) -> None:
        queries = pa.table({"id": [text_id(text) for text in self.queries], "text": list(self.queries)}, schema=schema.QUERIES)
        passages = pa.table(
            {
                "id": [text_id(*key) for key in self.passages],
                "title": [title for title, _ in self.passages],
                "text": [text for _, text in self.passages],
            },
            schema=schema.PASSAGES,
        )
        pairs = pa.Table.from_pylist([{**pair, "source": source} for pair in self.pairs], schema=schema.PAIRS)
        rejected = pa.Table.from_pylist([vars(row) for row in self.rejected], schema=schema.REJECTED)
        for name, table in (("queries", queries), ("passages", passages), ("pairs", pairs), ("rejected", rejected)):
            for shard, part in enumerate(split_rows(table, shard_rows)):
                writer.write_table(f"{name}/{shard:05d}.parquet", part)
        reasons = Counter(row.reason for row in self.rejected)
        writer.facts["rows"] = {
            "read": len(self.pairs) + len(self.rejected),
            "kept": len(self.pairs),
            "rejected": dict(sorted(reasons.items())),
        }


def split_rows(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """`table` in shards of `rows` rows; an empty table is one empty shard."""
    for start in range(0, max(table.num_rows, 1), rows):
        yield table.slice(start, rows)
