"""Scored shards with scores of a test's choosing, in a real store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.filter import DATA, ScoredShard
from parallel_qa.pipeline.filters.review.samples import ScoredSample
from parallel_qa.pipeline.store import Record, Store

LANGUAGES = ("arb_Arab", "deu_Latn", "fra_Latn", "hin_Deva", "ibo_Latn", "jpn_Jpan", "tha_Thai", "zho_Hans")
LONG = "A long text. " * 10

Scores = Mapping[str, Sequence[float | None]]


def scored_table(texts: Sequence[str | None], ids: Sequence[str], scores: Scores, table: str = "queries") -> pa.Table:
    """Texts with some scores; the others are null."""
    target = schema.scored(table)
    nothing: dict[str, Sequence[object]] = {name: [None] * len(texts) for name in target.names}
    columns = nothing | {"id": ids, "text": texts, "faults": [0] * len(texts)} | dict(scores)
    return pa.table({name: columns[name] for name in target.names}, schema=target)


def english_table(texts: Sequence[str], ids: Sequence[str], table: str = "queries") -> pa.Table:
    target = schema.TEXTS[table]
    columns: dict[str, Sequence[str]] = {"id": ids, "title": [""] * len(texts), "text": texts}
    return pa.table({name: columns[name] for name in target.names}, schema=target)


def sample(**scores: Sequence[float | None]) -> ScoredSample:
    """Texts with some scores and nothing else of interest."""
    rows = len(next(iter(scores.values())))
    return ScoredSample(scored_table(["gut"] * rows, ["x"] * rows, scores), english_table([LONG] * rows, ["x"] * rows))


def round_trips(values: Sequence[float | None]) -> dict[str, Sequence[float | None]]:
    """The scores of texts whose way back is worth so much."""
    return {"chrf": values, "token_sort": values}


def write_shard(
    store: Store,
    language: str,
    number: int,
    scores: Scores,
    source: str = "source",
    table: str = "queries",
    missing: Sequence[int] = (),
) -> ScoredShard:
    """A scored shard; its text *i* has the id `SOURCE-NUMBER-i`, and is null where `missing` names it."""
    rows = len(next(iter(scores.values())))
    ids = [f"{source}-{number}-{row}" for row in range(rows)]
    scored = scored_table([None if row in missing else "gut" for row in range(rows)], ids, scores, table)
    name = f"{source}/{table}/{number:05d}"
    english = _unit(store, f"english/{name}", "texts.parquet", english_table([LONG] * rows, ids, table))
    measured = _unit(store, f"scored/{language}/{name}", DATA, scored.select(schema.measured(table).names))
    compared = _unit(store, f"compared/{language}/{name}", f"{language}/00000.parquet", scored.select(schema.COMPARED.names))
    return ScoredShard(source, language, table, english.ref("texts.parquet"), measured, compared)


def _unit(store: Store, path: str, name: str, content: pa.Table) -> Record:
    with store.write_unit(path, "0" * 16) as writer:
        writer.write_table(name, content)
    record = store.record(path, "0" * 16)
    assert record is not None
    return record
