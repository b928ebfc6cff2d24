"""The store on a real S3-speaking server, on loopback."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from parallel_qa.pipeline.batches import open_release, release_store
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making import publish as publishing
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.diff import diff
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.release.sharing.export import export
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome
from tests.pipeline.test_store import texts_of, write
from tests.project import Project, article

ALDO = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")


def test_a_unit_is_read_back(bucket: str) -> None:
    store = Store(f"s3://{bucket}/some/store")
    table = pa.table({"text": ["one", None]})
    with store.write_unit("english/a", "f1") as writer:
        writer.write_table("queries/00000.parquet", table)
        assert store.record("english/a", "f1") is None
    record = store.record("english/a", "f1")
    assert record is not None
    assert store.read_table(record, "queries/00000.parquet").equals(table)
    assert store.names("english/a") == ["f1"]
    assert store.local_path("english/a") == f"s3://{bucket}/some/store/english/a"


def test_of_two_writers_the_one_that_finishes_first_has_made_the_unit(bucket: str) -> None:
    store = Store(f"s3://{bucket}/store")
    with store.write_unit("english/a", "f1") as slow:
        for number, text in enumerate(["same", "slow", "more"]):
            slow.write_table(f"queries/{number:05d}.parquet", pa.table({"text": [text]}))
        write(Store(f"s3://{bucket}/store"), "same", "fast")
    assert texts_of(store) == ["same", "fast"]
    write(store, "same", "fast")
    assert texts_of(store) == ["same", "fast"]


def test_writers_at_the_same_moment_do_not_harm_each_other(bucket: str) -> None:
    store = Store(f"s3://{bucket}/store")
    together = threading.Barrier(4)

    def work(writer: int) -> None:
        together.wait(30)
        write(store, *(f"{writer} {number}" for number in range(3)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    who = texts_of(store)[0].split()[0]
    assert texts_of(store) == [f"{who} {number}" for number in range(3)]


def test_a_damaged_record_is_named(bucket: str) -> None:
    store = Store(f"s3://{bucket}/store")
    store.write("english/a/f1/record.json", b"")
    with pytest.raises(UserError, match=rf"s3://{bucket}/store/english/a/f1/record\.json is damaged \(it is no record of a unit\)"):
        store.record("english/a", "f1")


def test_all_stages_run_on_it_and_give_the_bytes_of_a_local_disk(bucket: str, project: Project, store: Store, tmp_path: Path) -> None:
    project.source("questions", [ALDO])
    settings = project.settings(languages=["de"])
    remote = Store(f"s3://{bucket}/store")
    releases = []
    for each in (store, remote):
        for stage in (prepare, translate, filter_texts):
            stage(settings, each)
        releases.append(publish(settings, each))
    assert releases[0] == releases[1]
    for name in [*releases[0].manifest["files"], "manifest.json"]:
        path = f"{releases[0].path}/{name}"
        assert store.read(path) == remote.read(path)
    assert translate(settings, remote) == Outcome(skipped=3)
    assert not publish(settings, remote).new
    assert remote.names("releases") == store.names("releases")
    batch = next(open_release(f"s3://{bucket}/store").batches(alpha=1.0, languages=["en"], batch_size=1))
    assert batch.queries == ["Query: How long is the river Aldo in Velu?"]
    here, there = (release_store(each.url) for each in (store, remote))
    assert list(verify(there)) == []
    assert (diff(here, there).pairs.added, diff(here, there).settings) == (0, {})
    for folder, released in (("here", here), ("there", there)):
        assert sum(count.examples for count in export(released, "beir", tmp_path / folder, None, 0)) == 2
    assert (tmp_path / "here/corpus.jsonl").read_bytes() == (tmp_path / "there/corpus.jsonl").read_bytes()
    remote.write(f"{releases[1].path}/pairs/00001.parquet", b"")
    assert [str(fault) for fault in verify(there)] == ["pairs/00001.parquet: is not in the manifest"]


def test_a_release_that_fails_half_way_is_not_there(bucket: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.source("questions", [ALDO])
    settings = project.settings(languages=["de"])
    remote = Store(f"s3://{bucket}/store")
    for stage in (prepare, translate, filter_texts):
        stage(settings, remote)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(publishing, "dataset_card", lambda *arguments: 1 / 0)
        publish(settings, remote)
    assert remote.names("releases") == []
    assert publish(settings, remote).new


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(UserError, match=r"store 's3://no-such-bucket-here/store' cannot be written to"):
        Store("s3://no-such-bucket-here/store")
