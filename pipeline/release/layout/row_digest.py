"""A checksum of the rows of a file of a release: the same however Parquet or Arrow lays them out.

`docs/releases.md` says byte for byte what is hashed, so that anybody can compute it without this code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from hashlib import _Hash


def rows_sha256(name: str, rows: pa.Table) -> str:
    """The SHA-256, hexadecimal, of the `rows` of the file `name` of a release, such as "queries/deu_Latn/00000.parquet".

    Columns hold text, numbers, or lists of either.
    """
    digest = hashlib.sha256()
    _add_name(digest, name)
    digest.update(len(rows).to_bytes(8, "little"))
    for column in rows.column_names:
        _add_name(digest, column)
        _add_values(digest, [_plain(chunk) for chunk in rows[column].chunks])
    return digest.hexdigest()


def _add_name(digest: _Hash, name: str) -> None:
    content = name.encode()
    digest.update(len(content).to_bytes(4, "little") + content)


def _add_values(digest: _Hash, chunks: Sequence[pa.Array]) -> None:
    """A byte a value that says whether it is there, then what `_add_texts` and the others write."""
    for chunk in chunks:
        digest.update(chunk.is_valid().cast(pa.uint8()).to_numpy())
    kind = chunks[0].type if chunks else pa.null()
    if pa.types.is_large_list(kind):
        _add_lists(digest, chunks)
    elif pa.types.is_large_string(kind):
        _add_texts(digest, chunks)
    else:
        for chunk in chunks:
            values = (chunk.fill_null(0) if chunk.null_count else chunk).to_numpy()
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False))


def _add_lists(digest: _Hash, chunks: Sequence[pa.LargeListArray]) -> None:
    """The lengths of all lists, then their values as those of one column."""
    for chunk in chunks:
        digest.update(_lengths(pc.list_value_length(chunk)))
    _add_values(digest, [_plain(chunk.flatten()) for chunk in chunks])


def _add_texts(digest: _Hash, chunks: Sequence[pa.LargeStringArray]) -> None:
    """The lengths of all texts in bytes, then the texts in UTF-8, without anything between them."""
    for chunk in chunks:
        digest.update(_lengths(pc.binary_length(chunk)))
    for chunk in filter(len, chunks):
        # Where a text is null there may be bytes: what is hashed is what can be read.
        filled = chunk.fill_null("") if chunk.null_count else chunk
        _, offsets, content = filled.buffers()
        ends = np.frombuffer(offsets, np.int64, len(filled) + 1, filled.offset * 8)
        if content is not None:
            digest.update(memoryview(content)[ends[0] : ends[-1]])


def _lengths(values: pa.Array) -> bytes:
    """Lengths as four bytes each, little-endian; 0 for null."""
    return np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False)).astype("<u4").tobytes()


def _plain(values: pa.Array) -> pa.Array:
    """The same values, whatever their encoding: texts and lists with large offsets, no dictionary."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    if pa.types.is_list(values.type):
        return values.cast(pa.large_list(values.type.value_type))
    return values
