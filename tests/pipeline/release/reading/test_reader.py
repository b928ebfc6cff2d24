from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.release.reading.reader import Texts

SCHEMA = pa.schema([("id", pa.string()), ("title", pa.large_string()), ("text", pa.large_string())])


def texts(folder: Path, sizes: list[int]) -> tuple[Texts, list[dict[str, str | None]]]:
    rows: list[dict[str, str | None]] = [
        {"id": str(row), "title": "" if row % 2 else "title", "text": f"text {row}" if row % 3 else None} for row in range(sum(sizes))
    ]
    with pa.ipc.new_file(str(folder / "texts.arrow"), SCHEMA) as writer:
        ends = np.cumsum(sizes).tolist()
        for size, end in zip(sizes, ends, strict=True):
            writer.write_table(pa.Table.from_pylist(rows[end - size : end], SCHEMA))
    return Texts(folder / "texts.arrow"), rows


@given(sizes=st.lists(st.integers(0, 5), max_size=6), data=st.data(), most=st.integers(1, 4))
def test_rows_are_taken_in_any_order_and_read_in_parts(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject, most: int
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    found, rows = texts(folder, sizes)
    wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
    assert found.take(np.array(wanted, np.int64)).to_pylist() == [rows[row] for row in wanted]
    parts = [part.to_pylist() for part in found.parts(most)]
    assert [row for part in parts for row in part] == rows and all(len(part) <= most for part in parts)
