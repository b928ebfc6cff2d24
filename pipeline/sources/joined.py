"""Sources of three tables that belong together by id: queries, passages, and links between them (BEIR, MS MARCO).

The tables are written to disk and joined there: the cost grows with their rows (n log n), in the memory that DuckDB may have.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parallel_qa.pipeline.database import Database, parquet_rows
from parallel_qa.pipeline.sources.card import Card, LinkTable, TextTable
from parallel_qa.pipeline.sources.grouping import first_of_each
from parallel_qa.pipeline.sources.mapping import MalformedError, Raw, columns, reader
from parallel_qa.pipeline.sources.reading import raw_rows
from parallel_qa.pipeline.sources.records import Pair, Passage, Rows, SetAside, encodable
from parallel_qa.pipeline.sources.staging import in_batches

MAX_NEGATIVES = 16
"""Of the negatives of one link so many are kept, the first ones."""
_TEXT_ROWS = pa.schema([(name, pa.string()) for name in ("id", "title", "text")])
_LINK_ROWS = pa.schema([(name, pa.string()) for name in ("position", "query", "passage", "negative")])
_BATCH = 50_000
_READ = 10_000


def read_joined(card: Card) -> Rows:
    """The pairs of a card with `queries`, `passages` and `links`, in the order in which the links first appear.

    A link that stands several times, with a negative each time, is one pair with the first `MAX_NEGATIVES` different ones,
    in the order of the links. Of texts with one id, the first in the file counts. Raises UserError where a file
    cannot be read, or where memory or disk do not suffice.
    """
    assert card.queries and card.passages and card.links
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch, Database(Path(scratch), f"{card.path}: joining") as database:
        folder = Path(scratch)
        links = folder / "links.parquet"
        yield from _write_rows(links, _links(card, card.links), _LINK_ROWS)
        database.run(f"CREATE VIEW links AS SELECT file_row_number AS place, * FROM {parquet_rows(links)}")
        for name, table in (("queries", card.queries), ("passages", card.passages)):
            yield from load_texts(database, folder / f"{name}.parquet", read_table(card, table))
        database.run("CREATE TABLE pairs AS SELECT query, passage, min(place) AS place FROM links GROUP BY query, passage")
        _find_needed_passages(database)
        yield from _pairs(database)


def load_texts(database: Database, path: Path, rows: Iterable[Mapping[str, Any] | SetAside]) -> Iterator[SetAside]:
    """Write rows of `read_table` to the Parquet file `path`; yields those that were set aside.

    The database gets a view of them that is named like the file: `id`, `title`, `text`; of rows with one id the first alone.
    """
    yield from _write_rows(path, rows, _TEXT_ROWS)
    database.run(
        f"""CREATE VIEW {path.stem} AS SELECT id, title, text FROM {parquet_rows(path)}
        SEMI JOIN (SELECT min(file_row_number) AS file_row_number FROM {parquet_rows(path)} GROUP BY id) AS first USING (file_row_number)"""
    )


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any] | SetAside], schema: pa.Schema) -> Iterator[SetAside]:
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for batch in in_batches(rows, _BATCH):
            yield from (row for row in batch if isinstance(row, SetAside))
            writer.write_table(pa.Table.from_pylist([row for row in batch if not isinstance(row, SetAside)], schema=schema))


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """The rows of `batches`, one at a time."""
    for batch in batches:
        yield from batch.to_pylist()


def read_texts(card: Card) -> Iterator[tuple[str, str, str]]:
    """("query" or "passage", id, text) of a card's tables: the linked ones, or all where there are no links."""
    wanted: dict[str, set[str]] | None = None
    if card.links:
        wanted = {"query": set(), "passage": set()}
        for link in _links(card, card.links):
            if not isinstance(link, SetAside):
                for kind, ids in wanted.items():
                    ids.add(link[kind])
    for kind, table in (("query", card.queries), ("passage", card.passages)):
        if table:
            for row in read_table(card, table):
                if not isinstance(row, SetAside) and (wanted is None or row["id"] in wanted[kind]):
                    yield kind, row["id"], row["text"]


def tables_of_beir(card: Card) -> Card:
    """The card of a folder in BEIR's layout, with its tables named."""
    folder = card.files[0].rstrip("/")
    split = card.split or "test"

    def named(pattern: str) -> list[str]:
        return [f"{folder}/{pattern}"] if card.hub or any((card.path.parent / folder).glob(pattern)) else []

    queries, corpus, qrels = named("queries.jsonl*"), named("corpus.jsonl*"), named(f"qrels/{split}.tsv")
    return card.model_copy(
        update={
            "format": None,
            "files": [],
            "queries": TextTable(files=queries, format="jsonl") if queries else None,
            "passages": TextTable(files=corpus, format="jsonl", title="title") if corpus else None,
            "links": LinkTable(
                files=qrels, format="tsv", query='"query-id"', passage='"corpus-id"', keep={"not_relevant": "to_number(score) > `0`"}
            )
            if qrels
            else None,
        }
    )


def _links(card: Card, table: LinkTable) -> Iterator[dict[str, Any] | SetAside]:
    query, passage = reader(table.query), reader(table.passage)
    negative = reader(table.negative) if table.negative else None
    keep = [(reason, reader(condition)) for reason, condition in table.keep.items()]
    for raw in raw_rows(card, table):
        if isinstance(raw, SetAside):
            yield raw
            continue
        try:
            reason = next((reason for reason, condition in keep if not condition(raw.row)), None)
            row = {
                "position": raw.position,
                "query": _id_text(query(raw.row)),
                "passage": _id_text(passage(raw.row)),
                "negative": _id_text(negative(raw.row)) if negative else None,
            }
            if reason is None and (row["query"] is None or row["passage"] is None):
                reason = "malformed"
            elif reason is None and not encodable(*row.values()):
                reason = "broken_encoding"
        except MalformedError as error:
            reason = str(error)
        yield row if reason is None else SetAside(raw.position, raw.position, reason)


def read_table(card: Card, table: TextTable) -> Iterator[dict[str, Any] | SetAside]:
    """The rows of a table of texts, as `id`, `title` and `text`."""
    key, text = reader(table.id), reader(table.text)
    title = reader(table.title) if table.title else None
    needed = columns([table.id, table.text, *([table.title] if table.title else [])])
    for raw in raw_rows(card, table, needed):
        if isinstance(raw, SetAside):
            yield raw
            continue
        try:
            yield _text_row(raw, key(raw.row), title(raw.row) if title else "", text(raw.row))
        except MalformedError as error:
            yield SetAside(raw.position, raw.position, str(error))


def _text_row(raw: Raw, key: Any, title: Any, text: Any) -> dict[str, Any] | SetAside:
    own_id = _id_text(key)
    if own_id is None or not isinstance(text, str) or not isinstance(title, str | None):
        return SetAside(raw.position, raw.position, "malformed")
    if not encodable(own_id, title, text):
        return SetAside(raw.position, raw.position, "broken_encoding")
    return {"id": own_id, "title": title or "", "text": text}


def _id_text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _find_needed_passages(database: Database) -> None:
    """Make the table `needed`: for each pair (the place of its first link) its positive passage, then its negatives in order."""
    database.run("CREATE TABLE needed AS SELECT place AS pair, -1::BIGINT AS place, passage AS id FROM pairs")
    database.run(
        """CREATE TABLE negatives AS SELECT pairs.place AS pair, min(links.place) AS place, negative AS id
        FROM links JOIN pairs ON pairs.query = links.query AND pairs.passage = links.passage
        WHERE negative IS NOT NULL GROUP BY pairs.place, negative"""
    )
    # row_number() OVER would say which are the first as well, but keeps its partitions in memory.
    negatives = database.read("SELECT pair, place, id FROM negatives ORDER BY pair, place")
    for batch in first_of_each(negatives, "pair", MAX_NEGATIVES):
        database.insert("needed", pa.Table.from_batches([batch]))


def _pairs(database: Database) -> Rows:
    pairs = database.read(
        """SELECT position, pairs.query AS query, pairs.passage AS passage, text AS query_text
        FROM pairs JOIN links USING (place) LEFT JOIN queries ON queries.id = pairs.query ORDER BY pairs.place""",
        _READ,
    )
    passages = database.read(
        """SELECT pair, needed.id AS id, title, text
        FROM needed LEFT JOIN passages ON passages.id = needed.id ORDER BY pair, place""",
        _READ,
    )
    by_pair = itertools.groupby(rows_of(passages), key=lambda row: row["pair"])
    for row, (_, needed) in zip(rows_of(pairs), by_pair, strict=True):
        positive, *others = needed
        source_id = f"{row['query']}-{row['passage']}"
        if row["query_text"] is None or positive["text"] is None:
            reason = "no_query" if row["query_text"] is None else "no_passage"
            yield SetAside(row["position"], source_id, reason, row["query_text"], positive["text"])
            continue
        negatives = tuple(Passage(other["title"], other["text"], other["id"]) for other in others if other["text"] is not None)
        keys = {"query_key": row["query"], "passage_key": row["passage"]}
        yield Pair(row["position"], source_id, row["query_text"], positive["text"], positive["title"], "", negatives, **keys)
