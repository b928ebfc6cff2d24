"""Sources of three tables that belong together by id: queries, passages, and links between them (BEIR, MS MARCO).

The tables are joined on disk, whatever their size.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from parallel_qa.pipeline.sources.card import Card, LinkTable, TextTable
from parallel_qa.pipeline.sources.mapping import MalformedError, Raw, columns, reader
from parallel_qa.pipeline.sources.reading import raw_rows
from parallel_qa.pipeline.sources.records import Pair, Passage, Rows, SetAside
from parallel_qa.pipeline.sources.staging import in_batches, open_database

MAX_NEGATIVES = 16
"""Of the negatives of one link so many are kept, the first ones."""
_BATCH = 50_000


def read_joined(card: Card) -> Rows:
    """The pairs of a card with `queries`, `passages` and `links`, in the order in which the links first appear.

    A link that stands several times, with a negative each time, is one pair. Raises UserError where a file
    cannot be read.
    """
    assert card.queries and card.passages and card.links
    with _database() as database:
        database.execute("CREATE TABLE links (place BIGINT, position VARCHAR, query VARCHAR, passage VARCHAR, negative VARCHAR)")
        yield from load_rows(database, "links", _links(card, card.links))
        database.execute(
            f"""CREATE TABLE pairs AS SELECT min(place) AS place, arg_min(position, place) AS position, query, passage,
            coalesce(list(DISTINCT negative ORDER BY negative) FILTER (negative IS NOT NULL), [])[:{MAX_NEGATIVES}] AS negatives
            FROM links GROUP BY query, passage"""
        )
        database.execute("CREATE TABLE wanted_queries AS SELECT DISTINCT query AS id FROM pairs")
        database.execute("CREATE TABLE wanted_passages AS SELECT passage AS id FROM pairs UNION SELECT unnest(negatives) FROM pairs")
        for name, table in (("queries", card.queries), ("passages", card.passages)):
            database.execute(f"CREATE TABLE {name} (id VARCHAR, title VARCHAR, text VARCHAR)")
            yield from load_rows(database, name, read_table(card, table), f"WHERE id IN (SELECT id FROM wanted_{name})")
        yield from _pairs(database)


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


@contextlib.contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in scratch space, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as folder, open_database(Path(folder)) as database:
        yield database


def load_rows(
    database: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any] | SetAside], condition: str = ""
) -> Iterator[SetAside]:
    """Insert `rows` into `table`; yields those that cannot be."""
    target = database.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
    for batch in in_batches(rows, _BATCH):
        yield from (row for row in batch if isinstance(row, SetAside))
        database.register("batch", pa.Table.from_pylist([row for row in batch if not isinstance(row, SetAside)], schema=target))
        database.execute(f"INSERT INTO {table} SELECT * FROM batch {condition}")
        database.unregister("batch")


def _links(card: Card, table: LinkTable) -> Iterator[dict[str, Any] | SetAside]:
    query, passage = reader(table.query), reader(table.passage)
    negative = reader(table.negative) if table.negative else None
    keep = [(reason, reader(condition)) for reason, condition in table.keep.items()]
    for place, raw in enumerate(raw_rows(card, table)):
        if isinstance(raw, SetAside):
            yield raw
            continue
        try:
            reason = next((reason for reason, condition in keep if not condition(raw.row)), None)
            row = {
                "place": place,
                "position": raw.position,
                "query": _id(query(raw.row)),
                "passage": _id(passage(raw.row)),
                "negative": _id(negative(raw.row)) if negative else None,
            }
            if reason is None and (row["query"] is None or row["passage"] is None):
                reason = "malformed"
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
        yield _text_row(raw, key(raw.row), title(raw.row) if title else "", text(raw.row))


def _text_row(raw: Raw, key: Any, title: Any, text: Any) -> dict[str, Any] | SetAside:
    if _id(key) is None or not isinstance(text, str) or not isinstance(title, str | None):
        return SetAside(raw.position, raw.position, "malformed")
    try:
        text.encode()
        (title or "").encode()
    except UnicodeEncodeError:
        return SetAside(raw.position, raw.position, "broken_encoding")
    return {"id": _id(key), "title": title or "", "text": text}


def _id(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _pairs(database: duckdb.DuckDBPyConnection) -> Rows:
    reader = database.sql(
        """SELECT pairs.position, pairs.query, pairs.passage, any_value(q.text) AS query_text,
        any_value(p.title) AS title, any_value(p.text) AS text,
        list({'title': n.title, 'text': n.text, 'key': n.id} ORDER BY n.id) FILTER (n.id IS NOT NULL) AS negatives
        FROM (SELECT *, unnest(CASE WHEN len(negatives) = 0 THEN [NULL] ELSE negatives END) AS negative FROM pairs) AS pairs
        LEFT JOIN queries AS q ON q.id = pairs.query LEFT JOIN passages AS p ON p.id = pairs.passage
        LEFT JOIN passages AS n ON n.id = pairs.negative
        GROUP BY pairs.place, pairs.position, pairs.query, pairs.passage ORDER BY pairs.place"""
    ).to_arrow_reader(10_000)
    for batch in reader:
        for row in batch.to_pylist():
            source_id = f"{row['query']}-{row['passage']}"
            if row["query_text"] is None or row["text"] is None:
                reason = "no_query" if row["query_text"] is None else "no_passage"
                yield SetAside(row["position"], source_id, reason, row["query_text"], row["text"])
                continue
            negatives = tuple(Passage(n["title"], n["text"], n["key"]) for n in row["negatives"] or [])
            keys = {"query_key": row["query"], "passage_key": row["passage"]}
            yield Pair(row["position"], source_id, row["query_text"], row["text"], row["title"], "", negatives, **keys)
