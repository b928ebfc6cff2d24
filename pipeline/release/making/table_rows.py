"""The rows of a release's tables, made from a shard of English or of scored texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.assembly import whole
from parallel_qa.pipeline.filters.policy import Hits

ENGLISH_BIT = 0
"""English is the first language of every release, and nothing English is rejected after cleaning."""


def english_rows(texts: pa.Table, table: str, source: str) -> pa.Table:
    """English texts, of schema `schema.released_texts(table)`: nothing is rejected and nothing scored."""
    target = schema.released_texts(table)
    missing = {field.name: pa.nulls(len(texts), field.type) for field in target if field.name not in texts.column_names}
    return _table({**_columns(texts), **missing, "source": _constant(source, len(texts))}, target)


def translated_rows(scored: pa.Table, reasons: pa.Array, table: str, source: str) -> pa.Table:
    """Translated texts, of the same schema: a rejected one is null, its scores stay."""
    columns = _columns(scored) | {"reject_reason": reasons, "source": _constant(source, len(scored))}
    for name in ("title", "text"):
        if name in columns:
            columns[name] = pc.if_else(pc.is_null(reasons), columns[name], None)
    return _table(columns, schema.released_texts(table))


def rejected_rows(
    scored: pa.Table, hits: Mapping[str, Hits], chosen: Sequence[int], places: NDArray[np.int64], table: str, source: str
) -> pa.Table:
    """The `chosen` rows, of schema `schema.REJECTED_TEXTS`: with all scores and all reasons that hit.

    `places` are the rows of the release's table.
    """
    rows = pa.array(chosen, pa.int64())
    taken = scored.take(rows)
    titles = taken["title"].to_pylist() if "title" in taken.column_names else [""] * len(chosen)
    columns = _columns(taken) | {
        "table": _constant(table, len(chosen)),
        "row": pa.array(places[chosen]),
        "source": _constant(source, len(chosen)),
        "reasons": pa.array(policy.all_reasons(dict(hits), chosen), pa.list_(pa.string())),
        "text": pa.array(list(map(_whole, titles, taken["text"].to_pylist())), pa.string()),
    }
    return _table(columns, schema.REJECTED_TEXTS)


def pair_rows(
    pairs: pa.Table,
    query_places: NDArray[np.int64],
    passage_places: NDArray[np.int64],
    query_bits: NDArray[np.int64],
    passage_bits: NDArray[np.int64],
) -> pa.Table:
    """The pairs of one source, of schema `schema.RELEASED_PAIRS`, with row numbers of the release.

    Places are by the source's own rows, bits by rows of the release.
    """
    queries, passages = query_places[pairs["query_row"].to_numpy()], passage_places[pairs["passage_row"].to_numpy()]
    columns = _columns(pairs) | {
        "query_row": pa.array(queries),
        "passage_row": pa.array(passages),
        "negative_rows": _placed(pairs["negative_rows"], passage_places),
        "query_langs": pa.array(query_bits[queries]),
        "passage_langs": pa.array(passage_bits[passages]),
    }
    return _table(columns, schema.RELEASED_PAIRS)


def _placed(rows: pa.ChunkedArray, places: NDArray[np.int64]) -> pa.Array:
    """Lists of a source's own row numbers as lists of rows of the release."""
    lists = rows.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], rows.type)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(places[flat], pa.int64()))


def _whole(title: str | None, text: str | None) -> str | None:
    return None if text is None else whole(title or "", text)


def _constant(value: str, rows: int) -> pa.Array:
    return pa.repeat(value, rows)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    return {name: table[name] for name in table.column_names}


def _table(columns: Mapping[str, pa.ChunkedArray | pa.Array], target: pa.Schema) -> pa.Table:
    return pa.table({name: columns[name] for name in target.names}, schema=target)
