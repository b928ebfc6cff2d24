from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import Store, fingerprint, parquet_bytes

TABLE = pa.table({"text": ["one", "two", None]})


def test_a_unit_exists_only_once_its_record_does(store: Store) -> None:
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
        assert store.record("english/a", "f1") is None
    record = store.record("english/a", "f1")
    assert record is not None
    assert record.shards("queries") == ["queries/00000.parquet"]
    assert record.rows("queries") == 3
    assert store.read_table(record, "queries/00000.parquet").equals(TABLE)
    assert store.record("english/a", "f2") is None


def test_a_unit_whose_writer_fails_does_not_exist(store: Store) -> None:
    with pytest.raises(RuntimeError, match="broken"), store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
        raise RuntimeError("broken")
    assert store.record("english/a", "f1") is None


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_shard_is_named(store: Store, damage: str) -> None:
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
    path = Path(store.root) / "english/a/f1/queries/00000.parquet"
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-1] if damage == "truncate" else bytes([content[0] ^ 1]) + content[1:])
    record = store.record("english/a", "f1")
    assert record is not None
    with pytest.raises(UserError, match=r"queries/00000\.parquet is damaged \(its checksum is wrong\): delete its folder and run again"):
        store.read_table(record, "queries/00000.parquet")


def test_a_missing_shard_is_named(store: Store) -> None:
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
    (Path(store.root) / "english/a/f1/queries/00000.parquet").unlink()
    record = store.record("english/a", "f1")
    assert record is not None
    with pytest.raises(UserError, match=r"queries/00000\.parquet is missing"):
        store.read_table(record, "queries/00000.parquet")


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc/passwd", "a//b", "a/..", "", "a\\b/../c", "a\nb"])
def test_no_path_leads_out_of_the_store(store: Store, path: str) -> None:
    with pytest.raises(UserError, match="is no path inside a store"):
        store.write(path, b"x")
    assert not (Path(store.root).parent / "outside").exists()


@given(st.text(max_size=40))
def test_every_path_is_inside_or_refused(path: str) -> None:
    store = Store("memory://store", writable=False)
    try:
        full = store._full(path)
    except UserError:
        return
    assert os.path.normpath(full).startswith(os.path.normpath(store.root) + "/")


def test_a_store_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UserError, match=r"file/store' cannot be written to \(Not a directory\): choose another --store"):
        Store(str(blocked / "store"))


def test_equal_tables_give_equal_bytes() -> None:
    assert parquet_bytes(TABLE) == parquet_bytes(pa.table({"text": ["one", "two", None]}))
    assert parquet_bytes(TABLE) != parquet_bytes(pa.table({"text": ["one", "two", "three"]}))


def test_the_fingerprint_depends_on_every_value_and_not_on_their_order() -> None:
    assert fingerprint(a=1, b=[2]) == fingerprint(b=[2], a=1)
    assert len({fingerprint(a=1, b=[2]), fingerprint(a=1, b=[3]), fingerprint(a=1, c=[2]), fingerprint(a="1", b=[2])}) == 4


def test_a_killed_writer_leaves_no_file_under_a_final_name(tmp_path: Path) -> None:
    script = (
        "import sys; from parallel_qa.pipeline.store import Store; s = Store(sys.argv[1]); i = 0\n"
        "while True:\n    s.write(f'data/{i % 7}', bytes([i % 251]) * 3_000_000); i += 1\n    print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    time.sleep(0.013)
    process.send_signal(signal.SIGKILL)
    process.wait()
    files = [path for path in (tmp_path / "data").iterdir() if not path.name.endswith(".part")]
    assert files
    for path in files:
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content == content[:1] * 3_000_000


def test_what_a_killed_writer_left_beside_finished_units_is_passed_over(store: Store) -> None:
    for name in ("00000", "00001"):
        with store.write_unit(f"scored/deu_Latn/{name}", "f1") as writer:
            writer.write_table("texts/00000.parquet", TABLE)
    unfinished = Path(store.root) / "scored/deu_Latn/00002/f1"
    (unfinished / "texts").mkdir(parents=True)
    for name in ("record.json.850b38.part", "texts/00000.parquet.7f33ab.part", "texts/00000.parquet"):
        (unfinished / name).write_bytes(b"half")
    assert [record.path for record in store.records("scored")] == ["scored/deu_Latn/00000", "scored/deu_Latn/00001"]


def test_the_record_is_json_that_names_every_file(store: Store) -> None:
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
        writer.facts["rows"] = {"read": 3}
    content = json.loads(store.read("english/a/f1/record.json"))
    assert content["facts"] == {"rows": {"read": 3}}
    assert content["files"]["queries/00000.parquet"]["rows"] == 3
