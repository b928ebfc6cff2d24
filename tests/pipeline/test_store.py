from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.store import FileRef, Record, Store, StoredFile, fingerprint, parquet_bytes, sha256_of

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
    record = store.record("english/a", "f1")
    assert record is not None
    path = Path(store.root) / record.ref("queries/00000.parquet").path
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-1] if damage == "truncate" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(
        UserError, match=r"queries/00000-[0-9a-f]{8}\.parquet is damaged \(its checksum is wrong\): delete its folder and run again"
    ):
        store.read_table(record, "queries/00000.parquet")


def test_a_missing_shard_is_named(store: Store) -> None:
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", TABLE)
    record = store.record("english/a", "f1")
    assert record is not None
    (Path(store.root) / record.ref("queries/00000.parquet").path).unlink()
    with pytest.raises(UserError, match=r"queries/00000-[0-9a-f]{8}\.parquet is missing: delete its folder and run again"):
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
    [file] = Path(store.root).glob("english/a/f1/queries/*")
    sha256 = sha256_of(file)
    assert file.name == f"00000-{sha256[:8]}.parquet"
    stored = {"sha256": sha256, "bytes": file.stat().st_size, "rows": 3, "stored": f"queries/{file.name}"}
    assert content["files"] == {"queries/00000.parquet": stored}


def write(store: Store, *texts: str) -> None:
    """Make the unit english/a of a file for each of `texts`."""
    with store.write_unit("english/a", "f1") as writer:
        for number, text in enumerate(texts):
            writer.write_table(f"queries/{number:05d}.parquet", pa.table({"text": [text]}))


def texts_of(store: Store) -> list[str]:
    """The texts of the unit english/a, every file checked; and nothing else is in its folder."""
    record = store.record("english/a", "f1")
    assert record is not None
    assert {f"{record.folder}/record.json", *(record.ref(name).path for name in record.files)} == set(store.walk("english"))
    return [text for name in record.shards("queries") for text in store.read_table(record, name)["text"].to_pylist()]


def test_of_two_writers_the_one_that_finishes_first_has_made_the_unit(store: Store) -> None:
    with store.write_unit("english/a", "f1") as slow:
        for number, text in enumerate(["same", "slow", "more"]):
            slow.write_table(f"queries/{number:05d}.parquet", pa.table({"text": [text]}))
        write(store, "same", "fast")
        slow.facts["who"] = "slow"
    record = store.record("english/a", "f1")
    assert record is not None and record.facts == {}
    assert texts_of(store) == ["same", "fast"]


def test_a_writer_that_fails_leaves_the_unit_of_another_as_it_is(store: Store) -> None:
    write(store, "good", "too")
    with pytest.raises(RuntimeError), store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", pa.table({"text": ["bad"]}))
        raise RuntimeError
    record = store.record("english/a", "f1")
    assert record is not None
    assert store.read_tables(record, "queries")["text"].to_pylist() == ["good", "too"]


@pytest.mark.parametrize("same", [True, False])
def test_writers_in_threads_do_not_harm_each_other(store: Store, same: bool) -> None:
    for _ in range(20):
        together = threading.Barrier(4)

        def work(writer: int, together: threading.Barrier = together) -> None:
            together.wait(30)
            write(store, *(f"{0 if same else writer} {number}" for number in range(3)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        who = texts_of(store)[0].split()[0]
        assert texts_of(store) == [f"{who} {number}" for number in range(3)]
        store.remove_folder("english/a")


@pytest.mark.parametrize("same", [True, False])
def test_writers_in_processes_do_not_harm_each_other(store: Store, same: bool) -> None:
    script = (
        "import sys; from parallel_qa.pipeline.store import Store; from tests.pipeline.test_store import write\n"
        "store = Store(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "write(store, *(f'{sys.argv[2]} {number}' for number in range(3)))\n"
    )
    commands = [[sys.executable, "-c", script, store.url, "0" if same else str(writer)] for writer in range(2)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE) for command in commands]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0, 0]
    who = texts_of(store)[0].split()[0]
    assert texts_of(store) == [f"{who} {number}" for number in range(3)]


def test_on_a_file_system_without_links_the_first_record_stays_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write(store, "first")
    write(store, "second")
    assert texts_of(store) == ["first"]


@pytest.mark.parametrize("content", [b"", b'{"files": {', b"[]", b"null", b'{"facts": {}}', b'{"files": {}}', b'{"files": [], "facts": {}}',
                                     b'{"files": {"a": {}}, "facts": {}}', b"\xff\xfe"])  # fmt: skip
def test_a_damaged_record_is_named(store: Store, content: bytes) -> None:
    store.write("english/a/f1/record.json", content)
    message = r"english/a/f1/record\.json is damaged \(it is no record of a unit\): delete its folder and run again"
    with pytest.raises(UserError, match=message):
        store.record("english/a", "f1")
    with pytest.raises(UserError, match=message):
        list(store.records("english"))


def test_a_unit_of_an_older_layout_is_read(store: Store) -> None:
    content = parquet_bytes(TABLE)
    store.write("english/a/f1/queries/00000.parquet", content)
    file = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": 3}
    store.write("english/a/f1/record.json", json.dumps({"files": {"queries/00000.parquet": file}, "facts": {}}).encode())
    record = store.record("english/a", "f1")
    assert record is not None
    assert record.ref("queries/00000.parquet") == FileRef("english/a/f1/queries/00000.parquet", file["sha256"], 3)
    assert store.read_table(record, "queries/00000.parquet").equals(TABLE)


def test_the_checksum_of_a_unit_is_that_of_what_it_holds(store: Store, tmp_path: Path) -> None:
    """Units that depend on it stay the same, whichever layout wrote it."""
    write(store, "one")
    record = store.record("english/a", "f1")
    assert record is not None
    older = Record("english/a", "f1", {name: StoredFile(file.sha256, file.bytes, file.rows) for name, file in record.files.items()}, {})
    assert older.checksum == record.checksum


def test_a_file_is_created_once(store: Store) -> None:
    assert store.create("a/b", b"first") is True
    assert store.create("a/b", b"second") is False
    assert store.read("a/b") == b"first"
    assert store.names("a") == ["b"]


def test_finished_units_are_those_with_a_record(store: Store) -> None:
    for path in ("translated/deu_Latn/b/00000", "translated/deu_Latn/a/00001", "translated/arb_Arab/a/00000"):
        with store.write_unit(path, "f1") as writer:
            writer.write_table("x/00000.parquet", TABLE)
    store.write("translated/deu_Latn/a/00002/f1/x/00000.parquet", b"half")
    assert store.finished_units("translated/deu_Latn") == [("translated/deu_Latn/a/00001", "f1"), ("translated/deu_Latn/b/00000", "f1")]
    assert store.finished_units("nothing") == []
