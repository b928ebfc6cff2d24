"""English texts: their ids, their order, their blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.release.layout.order import block_of, shuffle_keys, text_hashes
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault, Mask, is_null, is_one_of, row_faults
from parallel_qa.pipeline.text_ids import text_id

_ID = "^[0-9a-f]{16}$"
_ROWS = 10_000
"""Texts that are Python's at a time."""


def have_ids(texts: pa.Table) -> bool:
    """Whether all rows have something that is an id by its form."""
    return bool(pc.all(pc.fill_null(pc.match_substring_regex(texts["id"], _ID), False)).as_py() is not False)


def english_faults(name: str, texts: pa.Table, table: str, number: int, claims: Claims) -> Iterator[Fault]:
    """What is wrong with block `number` of the English texts of `table`, all of which `have_ids`."""
    other = np.concatenate([np.zeros(0, bool), *(_have_other_ids(texts.slice(start, _ROWS)) for start in range(0, len(texts), _ROWS))])
    yield from row_faults(name, other, "its id is not that of its text")
    keys = shuffle_keys(text_hashes(texts["id"]), claims.seed)
    yield from row_faults(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
    if table == "passages":
        yield from row_faults(name, block_of(keys, claims.blocks) != number, "is of another block")
        yield from row_faults(name, is_null(texts["title"]), "has no title, not even an empty one")
    yield from row_faults(name, is_null(texts["text"]), "has no English text")
    yield from row_faults(name, ~is_null(texts["reject_reason"]), "is rejected, and nothing English is")
    yield from row_faults(name, ~is_one_of(texts["source"], list(claims.sources)), "is of no source of the manifest")
    for column in schema.SCORES.names:
        yield from row_faults(name, ~is_null(texts[column]), f"is English and has a value in {column}")


def _have_other_ids(texts: pa.Table) -> Mask:
    """Which rows have not the id that follows from title and text."""
    ids, contents = texts["id"].to_pylist(), texts["text"].to_pylist()
    titles = texts["title"].to_pylist() if "title" in texts.column_names else [""] * len(texts)
    rows = zip(ids, titles, contents, strict=True)
    return np.array([given != text_id(title or "", text or "") for given, title, text in rows], dtype=bool)


def english_bytes(texts: pa.Table) -> int:
    """Bytes of all texts and titles."""
    names = [name for name in ("title", "text") if name in texts.column_names]
    return sum(pc.sum(pc.binary_length(texts[name])).as_py() or 0 for name in names)
