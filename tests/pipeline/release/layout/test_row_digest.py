"""The checksum of rows is that of docs/releases.md, and no layout of the same rows changes it."""

from __future__ import annotations

import hashlib
import io
import itertools
import struct
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.release.layout.row_digest import rows_sha256

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("row", pa.int64()),
        ("score", pa.float32()),
        ("faults", pa.int32()),
        ("rows", pa.list_(pa.int64())),
        ("reasons", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
rows_of_all_types = st.lists(
    st.fixed_dictionaries(
        {
            "id": texts,
            "row": st.none() | st.integers(-(2**63), 2**63 - 1),
            "score": st.none() | st.floats(width=32, allow_nan=False),
            "faults": st.none() | st.integers(-(2**31), 2**31 - 1),
            "rows": st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3),
            "reasons": st.none() | st.lists(texts, max_size=3),
            "scores": st.none() | st.lists(st.none() | st.floats(width=32, allow_nan=False), max_size=3),
        }
    ),
    max_size=8,
)


def by_the_book(name: str, rows: list[dict[str, Any]]) -> str:
    """Byte for byte what docs/releases.md says, from plain values."""
    content = text(name) + struct.pack("<Q", len(rows))
    kinds = {"id": "text", "row": "<q", "score": "<f", "faults": "<i", "rows": "<q", "reasons": "text", "scores": "<f"}
    for column in SCHEMA.names:
        values = [row[column] for row in rows]
        content += text(column)
        if column in ("rows", "reasons", "scores"):
            content += bytes(value is not None for value in values) + b"".join(struct.pack("<I", len(value or ())) for value in values)
            values = [member for value in values for member in value or ()]
        content += column_bytes(values, kinds[column])
    return hashlib.sha256(content).hexdigest()


def column_bytes(values: list[Any], kind: str) -> bytes:
    there = bytes(value is not None for value in values)
    if kind == "text":
        encoded = [(value or "").encode() for value in values]
        return there + b"".join(struct.pack("<I", len(value)) for value in encoded) + b"".join(encoded)
    return there + b"".join(struct.pack(kind, 0 if value is None else value) for value in values)


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


@given(rows_of_all_types)
def test_it_is_what_the_documentation_says(rows: list[dict[str, Any]]) -> None:
    assert rows_sha256("pairs/00000.parquet", pa.Table.from_pylist(rows, SCHEMA)) == by_the_book("pairs/00000.parquet", rows)


@given(rows_of_all_types, st.lists(st.integers(0, 8), max_size=4))
def test_neither_pieces_nor_types_nor_parquet_change_it(rows: list[dict[str, Any]], cuts: list[int]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    expected = rows_sha256("a", table)
    ends = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    pieces = pa.concat_tables([table.slice(0, 0), *(table.slice(start, end - start) for start, end in itertools.pairwise(ends))])
    assert rows_sha256("a", pieces) == expected
    around = pa.concat_tables([table, table, table]).combine_chunks().slice(len(rows), len(rows))
    assert rows_sha256("a", around) == expected
    large = {"id": pa.large_string(), "reasons": pa.large_list(pa.large_string()), "rows": pa.large_list(pa.int64())}
    wide = table.cast(pa.schema([(field.name, large.get(field.name, field.type)) for field in SCHEMA]))
    assert rows_sha256("a", wide) == expected
    assert rows_sha256("a", table.set_column(0, "id", table["id"].dictionary_encode())) == expected
    for options in ({"use_dictionary": True, "compression": "zstd"}, {"use_dictionary": False, "row_group_size": 2}):
        sink = io.BytesIO()
        pq.write_table(table, sink, **options)
        assert rows_sha256("a", pq.read_table(io.BytesIO(sink.getvalue()))) == expected


def test_bytes_below_a_null_are_no_part_of_it() -> None:
    column = pa.StringArray.from_buffers(2, pa.py_buffer(struct.pack("<3i", 0, 4, 5)), pa.py_buffer(b"goneX"), pa.py_buffer(b"\x02"))
    numbers = pa.Int64Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(struct.pack("<2q", 7, 1))])
    assert rows_sha256("a", pa.table({"t": column, "n": numbers})) == rows_sha256("a", pa.table({"t": [None, "X"], "n": [None, 1]}))


@given(rows_of_all_types.filter(len), st.data())
def test_any_other_rows_have_another(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    other = data.draw(rows_of_all_types)
    assert (rows_sha256("a", pa.Table.from_pylist(other, SCHEMA)) == rows_sha256("a", table)) == (repr(other) == repr(rows))
    assert rows_sha256("b", table) != rows_sha256("a", table)
    assert rows_sha256("a", table.rename_columns(["name", *SCHEMA.names[1:]])) != rows_sha256("a", table)
