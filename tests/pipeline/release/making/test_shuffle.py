from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.release.making.shuffle import Shuffle
from parallel_qa.pipeline.settings import HOUSE

SCHEMA = pa.schema([("value", pa.int64()), ("name", pa.string())])


def rows(values: list[int]) -> pa.Table:
    return pa.table({"value": values, "name": [None if value % 3 == 0 else str(value) for value in values]}, SCHEMA)


@given(
    st.data(),
    st.lists(st.integers(0, 2**62), max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
    st.sampled_from([0, 100, 700, 2**20]),
)
def test_every_row_comes_back_at_its_place_whatever_the_batches(
    data: st.DataObject, values: list[int], cuts: list[int], buffer_bytes: int
) -> None:
    places = data.draw(st.permutations(range(len(values))))
    ends = [*sorted(min(cut, len(values)) for cut in cuts), len(values)]
    with tempfile.TemporaryDirectory() as folder:
        shuffle = Shuffle(Path(folder) / "x", SCHEMA, np.array(ends), buffer_bytes)
        start = 0
        while start < len(values):
            size = data.draw(st.integers(1, len(values) - start))
            part = slice(start, start + size)
            shuffle.add(rows(values[part]), np.array(places[part], np.int64))
            start += size
        stretches = list(shuffle.stretches())
        assert not list(Path(folder).rglob("*.arrows"))
    assert np.cumsum([len(stretch) for stretch in stretches]).tolist() == ends
    expected = rows([value for _, value in sorted(zip(places, values, strict=True))])
    assert pa.concat_tables(stretches).combine_chunks() == expected.combine_chunks()


def test_one_stretch_is_not_written(tmp_path: Path) -> None:
    shuffle = Shuffle(tmp_path / "x", SCHEMA, np.array([3]), 0)
    shuffle.add(rows([5, 6, 7]), np.array([2, 0, 1]))
    assert [stretch["value"].to_pylist() for stretch in shuffle.stretches()] == [[6, 7, 5]]
    assert not (tmp_path / "x").exists()


PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np
import pyarrow as pa
from parallel_qa.pipeline.release.making.shuffle import Shuffle

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
places = np.random.default_rng(0).permutation(20_000)
shuffle = Shuffle(Path(sys.argv[1]), pa.schema([("value", pa.int64())]), np.arange(10, 20_001, 10), 100_000)
for part in np.split(places, 20):
    shuffle.add(pa.table({"value": part}), part)
stretches = [stretch["value"].to_pylist() for stretch in shuffle.stretches()]
print(json.dumps([len(stretches), [value for stretch in stretches for value in stretch] == list(range(20_000))]))
"""


def test_two_thousand_stretches_need_few_open_files(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "x")], capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [2000, True]
