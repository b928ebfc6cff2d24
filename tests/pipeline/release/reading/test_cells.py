"""Whatever stands in a cell of a file that is sealed again, `verify` names faults or finds none: it never fails."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import resealing
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.store import Store
from tests.conftest import Run

texts = (
    st.none() | st.sampled_from(["", " ", "\n", "zz", "0" * 16, "empty", "missing", "not_translated", "questions"]) | st.text(max_size=5)
)
integers = st.none() | st.sampled_from([0, -1, 1, 2**62, -(2**63), 2**63 - 1])
numbers = st.none() | st.floats(width=32) | st.sampled_from([0.0, 1.0, 100.0])


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Anything that a column of this type can hold."""
    if pa.types.is_list(kind):
        return st.none() | st.lists(values(kind.value_type), max_size=4)
    if pa.types.is_string(kind):
        return texts
    if pa.types.is_floating(kind):
        return numbers
    return integers if kind == pa.int64() else st.none() | st.sampled_from([0, 1, -1, 2**31 - 1])


@pytest.fixture(scope="module")
def release(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells") / "release"
    shutil.copytree(sample_run.folder, folder)
    return folder


@settings(max_examples=100)
@given(st.data())
def test_any_cell_may_hold_anything(sample_run: Run, release: Path, data: st.DataObject) -> None:
    manifest = (sample_run.folder / MANIFEST).read_bytes()
    name = data.draw(st.sampled_from(sorted(file for file, facts in json.loads(manifest)["files"].items() if facts.get("rows"))))
    table = resealing.read(sample_run.folder, name)
    rows = table.to_pylist()
    for _ in range(data.draw(st.integers(1, 3))):
        column = data.draw(st.sampled_from(table.schema.names))
        rows[data.draw(st.integers(0, len(rows) - 1))][column] = data.draw(values(table.schema.field(column).type))
    shutil.copy(sample_run.folder / name, release / name)
    (release / MANIFEST).write_bytes(manifest)
    resealing.rewrite(release, {name: pa.Table.from_pylist(rows, table.schema)}, digest=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faults = [str(fault) for fault in verify(Store(str(release), writable=False))]
    shutil.copy(sample_run.folder / name, release / name)
    assert bool(faults) == (repr(rows) != repr(table.to_pylist()))
