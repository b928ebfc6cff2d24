from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from parallel_qa.pipeline.database import Database, parquet_rows
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import parquet_bytes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_QA_MEMORY_MB", "128")


def test_what_is_sorted_may_be_larger_than_memory(small: None, tmp_path: Path) -> None:
    with Database(tmp_path, "sorting") as database:
        database.run("CREATE TABLE rows AS SELECT range AS number, repeat('x', 200) || hash(range) AS text FROM range(1500000)")
        seen = 0
        last = ""
        for batch in database.read("SELECT text FROM rows ORDER BY text"):
            texts = batch["text"].to_pylist()
            assert [last, *texts] == sorted([last, *texts])
            seen, last = seen + len(texts), texts[-1]
        assert seen == database.count("SELECT count(*) FROM rows") == 1_500_000


def test_too_little_memory_names_the_setting_to_raise(small: None, tmp_path: Path) -> None:
    rows = "SELECT list(range::VARCHAR || repeat('x', 50)) FROM range(3000000)"
    message = r"^card\.md: joining its tables: 128 MB of memory do not suffice \(.+\): raise PARALLEL_QA_MEMORY_MB$"
    with Database(tmp_path, "card.md: joining its tables") as database:
        with pytest.raises(UserError, match=message):
            database.run(f"CREATE TABLE all_rows AS {rows}")
        with pytest.raises(UserError, match=message):
            list(database.read(rows))


def test_a_full_disk_names_the_folder_to_change(small: None, tmp_path: Path) -> None:
    with Database(tmp_path, "card.md") as database:
        database.run("SET max_temp_directory_size = '1MB'")
        with pytest.raises(UserError, match=r"^card\.md: the disk of scratch space is full: set TMPDIR to a folder with more room$"):
            database.run("CREATE TABLE sorted AS SELECT range::VARCHAR || repeat('x', 50) AS text FROM range(3000000) ORDER BY hash(text)")


def test_other_errors_of_what_is_read_stay_what_they_are(tmp_path: Path) -> None:
    with Database(tmp_path, "card.md") as database, pytest.raises(OSError, match="too bad"):
        list(database.read("SELECT CASE WHEN range > 900000 THEN error('too bad') ELSE 'fine' END FROM range(1000000)"))


def test_rows_of_a_parquet_file_are_numbered_whatever_its_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    (folder / "rows.parquet").write_bytes(parquet_bytes(pa.table({"text": ["a", "b"]})))
    with Database(tmp_path, "") as database:
        [batch] = database.read(f"SELECT file_row_number, text FROM {parquet_rows(folder / 'rows.parquet')} ORDER BY 1")
    assert batch.to_pylist() == [{"file_row_number": 0, "text": "a"}, {"file_row_number": 1, "text": "b"}]


@pytest.mark.parametrize(("value", "reason"), [("lots", "should be a valid integer"), ("64", "should be greater than or equal to 128")])
def test_a_bound_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, reason: str) -> None:
    monkeypatch.setenv("PARALLEL_QA_MEMORY_MB", value)
    with pytest.raises(UserError, match=rf"^environment: PARALLEL_QA_MEMORY_MB: Input {reason}"):
        Database(tmp_path, "card.md")
