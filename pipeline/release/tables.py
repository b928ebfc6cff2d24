"""The tables of a release, made from the English and the scored tables of all sources.

A text that stands in several sources is one row; texts keep the order of the profile's sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.filters import policy
from pipeline.filters.filter import Shard
from pipeline.filters.policy import Reasons
from pipeline.filters.texts import english_wholes, whole
from pipeline.settings import FilterSettings
from pipeline.store import Record, Store

ENGLISH_BIT = 0
"""English is the first language of every release, and nothing English is rejected after cleaning."""


@dataclass(frozen=True)
class Rows:
    """Where the texts of each source went in one table of a release."""

    places: Mapping[str, NDArray[np.int64]]  # source -> local row -> row of the release
    new: Mapping[str, NDArray[np.int64]]  # source -> local rows that no earlier source had
    total: int


def place_rows(store: Store, english: Mapping[str, Record], table: str) -> Rows:
    """Number the texts of `table` ("queries" or "passages") over all sources; equal ids are one row."""
    numbers: dict[str, int] = {}
    places: dict[str, NDArray[np.int64]] = {}
    new: dict[str, NDArray[np.int64]] = {}
    for source, record in english.items():
        ids = store.read_tables(record, table)["id"].to_pylist()
        before = len(numbers)
        places[source] = np.array([numbers.setdefault(text_id, len(numbers)) for text_id in ids], dtype=np.int64)
        new[source] = np.flatnonzero(places[source] >= before)
    return Rows(places, new, len(numbers))


def english_texts(store: Store, english: Mapping[str, Record], table: str, rows: Rows) -> pa.Table:
    """The English texts of a release, of schema `schema.released_texts(table)`."""
    target = schema.released_texts(table)
    parts = []
    for source, record in english.items():
        texts = store.read_tables(record, table).take(pa.array(rows.new[source]))
        missing = {field.name: pa.nulls(texts.num_rows, field.type) for field in target if field.name not in texts.column_names}
        parts.append(_table({**_columns(texts), **missing}, target))
    return pa.concat_tables(parts)


def translated_texts(store: Store, scored: Mapping[str, list[Shard]], reasons: Mapping[str, Reasons], table: str, rows: Rows) -> pa.Table:
    """The texts of a release in one language: a rejected one is null, its scores stay.

    `scored` and `reasons` are by source.
    """
    target = schema.released_texts(table)
    parts = []
    for source, shards in scored.items():
        texts = pa.concat_tables([shard.read(store) for shard in shards])
        reason = pa.array(reasons[source], pa.string())
        columns = _columns(texts) | {"reject_reason": reason}
        for name in ("title", "text"):
            if name in columns:
                columns[name] = pc.if_else(pc.is_null(reason), columns[name], None)
        parts.append(_table(columns, target).take(pa.array(rows.new[source])))
    return pa.concat_tables(parts)


def rejected_texts(store: Store, scored: Mapping[str, list[Shard]], filters: FilterSettings, rows: Rows) -> pa.Table:
    """What was rejected of one table in one language, with all scores and all reasons that hit.

    `scored` is by source.
    """
    parts = [schema.REJECTED_TEXTS.empty_table()]
    for source, shards in scored.items():
        start = 0
        for shard in shards:
            _, code, table = shard.key
            texts, english = shard.read(store), shard.english(store)
            hits = policy.hits(texts, english, filters.of(code, table))
            places = np.arange(start, start + len(texts))
            fallen = np.any(list(hits.values()), axis=0) & np.isin(places, rows.new[source])
            chosen = np.flatnonzero(fallen)
            taken = texts.take(pa.array(chosen))
            titles = taken["title"].to_pylist() if "title" in taken.column_names else [""] * len(chosen)
            columns = _columns(taken) | {
                "table": pa.array([table] * len(chosen), pa.string()),
                "row": pa.array(rows.places[source][places[chosen]]),
                "source": pa.array([source] * len(chosen), pa.string()),
                "reasons": pa.array(policy.all_reasons(hits, chosen.tolist()), pa.list_(pa.string())),
                "english": pa.array(english_wholes(english.take(pa.array(chosen))), pa.string()),
                "text": pa.array(
                    [
                        None if text is None else whole(title or "", text)
                        for title, text in zip(titles, taken["text"].to_pylist(), strict=True)
                    ],
                    pa.string(),
                ),
            }
            parts.append(_table(columns, schema.REJECTED_TEXTS))
            start += len(texts)
    return pa.concat_tables(parts)


def _whole(title: str | None, text: str | None) -> str | None:
    return None if text is None else whole(title or "", text)


def survival(reasons: list[Reasons]) -> NDArray[np.int64]:
    """For each row the bit set of languages in which it survived; `reasons` are by target language."""
    bits = np.full(len(reasons[0]), 1 << ENGLISH_BIT, dtype=np.int64)
    for bit, column in enumerate(reasons, ENGLISH_BIT + 1):
        bits |= np.array([reason is None for reason in column], dtype=np.int64) << bit
    return bits


def released_pairs(
    pairs: pa.Table,
    query_places: NDArray[np.int64],
    passage_places: NDArray[np.int64],
    query_bits: NDArray[np.int64],
    passage_bits: NDArray[np.int64],
) -> pa.Table:
    """The pairs of one source with the row numbers of the release; the arrays are by the source's own rows."""
    query, passage = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
    columns = _columns(pairs) | {
        "query_row": pa.array(query_places[query]),
        "passage_row": pa.array(passage_places[passage]),
        "negative_rows": _placed(pairs["negative_rows"], passage_places),
        "query_langs": pa.array(query_bits[query]),
        "passage_langs": pa.array(passage_bits[passage]),
    }
    return _table(columns, schema.RELEASED_PAIRS)


def pair_reasons(pairs: pa.Table, queries: Reasons, passages: Reasons) -> Reasons:
    """For each pair of a source why it is not to be had in a language; the query's reason goes first."""
    result: Reasons = []
    for query, passage in zip(pairs["query_row"].to_pylist(), pairs["passage_row"].to_pylist(), strict=True):
        if queries[query]:
            result.append(f"query_{queries[query]}")
        else:
            result.append(f"passage_{passages[passage]}" if passages[passage] else None)
    return result


def _placed(rows: pa.ChunkedArray, places: NDArray[np.int64]) -> pa.Array:
    """Lists of a source's own row numbers as lists of rows of the release."""
    lists = rows.combine_chunks()
    return pa.ListArray.from_arrays(lists.offsets, pa.array(places[lists.flatten().to_numpy(zero_copy_only=False)], pa.int64()))


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    return {name: table[name] for name in table.column_names}


def _table(columns: Mapping[str, pa.ChunkedArray | pa.Array], target: pa.Schema) -> pa.Table:
    return pa.table({name: columns[name] for name in target.names}, schema=target)
