"""The rows of a release's tables, made from a shard of English or of scored texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.policy import Rejections
from parallel_qa.pipeline.release.layout.survival import NOT_TRANSLATED
from parallel_qa.pipeline.release.making.answers import Scores, score_lists
from parallel_qa.pipeline.tables import one_array
from parallel_qa.pipeline.titles import judged_texts


def english_rows(texts: pa.Table, table: str, source: str) -> pa.Table:
    """English texts, of schema `schema.released_texts(table)`: nothing is rejected and nothing scored."""
    return _with_nulls(_columns(texts) | {"source": _constant(source, len(texts))}, schema.released_texts(table), len(texts))


def untranslated_rows(ids: pa.Array, table: str, source: str) -> pa.Table:
    """The texts with these ids in a language that their source is not translated into, of the same schema: no text and no score."""
    columns = {"id": ids, "source": _constant(source, len(ids)), "reject_reason": _constant(NOT_TRANSLATED, len(ids))}
    return _with_nulls(columns, schema.released_texts(table), len(ids))


def translated_rows(scored: pa.Table, reasons: pa.Array, table: str, source: str) -> pa.Table:
    """Translated texts, of the same schema: a rejected one is null, its scores stay."""
    columns = _columns(scored) | {"reject_reason": reasons, "source": _constant(source, len(scored))}
    for name in ("title", "text"):
        if name in columns:
            columns[name] = pc.if_else(pc.is_null(reasons), columns[name], None)
    return _table(columns, schema.released_texts(table))


def rejected_rows(
    scored: pa.Table, rejections: Rejections, chosen: Sequence[int], places: NDArray[np.int64], table: str, source: str
) -> pa.Table:
    """The `chosen` rows, of schema `schema.REJECTED_TEXTS`: with all scores and all reasons that reject them.

    `places` are the rows of the release's table.
    """
    rows = pa.array(chosen, pa.int64())
    taken = scored.take(rows)
    columns = _columns(taken) | {
        "table": _constant(table, len(chosen)),
        "row": pa.array(places[chosen]),
        "source": _constant(source, len(chosen)),
        "reasons": pa.array(policy.all_reasons(rejections, chosen), pa.list_(pa.string())),
        "text": pa.array(judged_texts(taken), pa.string()),
    }
    return _table(columns, schema.REJECTED_TEXTS)


def pair_rows(
    pairs: pa.Table,
    query_places: NDArray[np.int64],
    passage_places: NDArray[np.int64],
    query_bits: NDArray[np.int64],
    passage_bits: NDArray[np.int64],
    answers: Scores,
    lost: NDArray[np.int64],
) -> pa.Table:
    """The pairs of one source, of schema `schema.RELEASED_PAIRS`, with row numbers of the release.

    Places are by the source's own rows, bits by rows of the release. `answers` are the scores of the pairs' answers, `lost` the bits
    of the languages in which an answer is lost, pair by pair.
    """
    queries, passages = query_places[pairs["query_row"].to_numpy()], passage_places[pairs["passage_row"].to_numpy()]
    columns = _columns(pairs) | {
        "query_row": pa.array(queries),
        "passage_row": pa.array(passages),
        "negative_rows": _release_rows(pairs["negative_rows"], passage_places),
        "query_langs": pa.array(query_bits[queries]),
        "passage_langs": pa.array(passage_bits[passages] & ~lost),
        "answer_scores": score_lists(answers),
    }
    return _table(columns, schema.RELEASED_PAIRS)


def _release_rows(rows: pa.ChunkedArray, places: NDArray[np.int64]) -> pa.Array:
    """Lists of a source's own row numbers as lists of rows of the release."""
    lists = one_array(rows)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(places[flat], pa.int64()))


def _constant(value: str, rows: int) -> pa.Array:
    return pa.repeat(value, rows)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    return {name: table[name] for name in table.column_names}


def _with_nulls(columns: Mapping[str, pa.ChunkedArray | pa.Array], target: pa.Schema, rows: int) -> pa.Table:
    """A table of the schema `target`, null in the columns that are not given."""
    return _table({field.name: pa.nulls(rows, field.type) for field in target} | dict(columns), target)


def _table(columns: Mapping[str, pa.ChunkedArray | pa.Array], target: pa.Schema) -> pa.Table:
    return pa.table({name: columns[name] for name in target.names}, schema=target)
