from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.release.sharing import upload
from parallel_qa.pipeline.release.sharing.upload import planned, push
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.loopback_hub import LoopbackHub

NAME = "datasets/org/name"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub().serve() as hub:
        hub.stand_in(monkeypatch, tmp_path)
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield hub


@pytest.fixture
def store(sample_run: Run) -> Store:
    return Store(str(sample_run.folder), writable=False)


def contents(store: Store) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.walk("")}


def puts(hub: LoopbackHub) -> list[str]:
    return [path for method, path, _ in hub.requests if method == "PUT"]


def test_files_go_up_first_and_card_and_manifest_last(store: Store, sample_run: Run, hub: LoopbackHub) -> None:
    address = push(store, "org/name")
    version = sample_run.release.manifest["version"]
    files = contents(store)
    assert hub.files(NAME) == files
    assert hub.created == {NAME: True}
    assert hub.commits == [f"Release {version}, part 1 of 1", f"Release {version}"]
    assert sorted(hub.changes[1]) == ["README.md", "manifest.json"]
    assert address == f"{hub.url}/{NAME}/commit/{2:040x}"
    assert {upload.name: upload.bytes for upload in planned(store)} == {name: len(content) for name, content in files.items()}
    large = {hashlib.sha256(content).hexdigest() for name, content in files.items() if name.endswith(".parquet")}
    assert set(hub.objects) == large and len(puts(hub)) == len(large)


def test_a_release_that_is_there_is_not_sent_again(store: Store, hub: LoopbackHub) -> None:
    address = push(store, "org/name")
    before = len(puts(hub)), len(hub.commits)
    assert push(store, "org/name") == address
    assert (len(puts(hub)), len(hub.commits)) == before


def test_an_upload_goes_on_where_it_stopped_and_is_no_release_before_its_end(
    store: Store, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [file.bytes for file in planned(store)]
    monkeypatch.setattr(upload, "PART_BYTES", sum(sizes) // 4)
    hub.takes = len(sizes) // 2
    with pytest.raises(UserError, match=r"org/name: the upload stopped: .*No room is left.* is not sent again: run the same command"):
        push(store, "org/name")
    there = hub.files(NAME)
    assert there and MANIFEST not in there and "README.md" not in there
    sent = puts(hub)
    hub.takes = None
    push(store, "org/name")
    assert hub.files(NAME) == contents(store)
    assert len(puts(hub)) == len(set(puts(hub))) == len(hub.objects)
    assert puts(hub)[: len(sent)] == sent
    assert MANIFEST in hub.changes[-1] and not any(MANIFEST in change for change in hub.changes[:-1])


def test_a_release_on_an_object_store_goes_up_a_part_at_a_time(
    store: Store, bucket: str, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    remote = Store(f"s3://{bucket}/release")
    for name, content in contents(store).items():
        remote.write(name, content)
    monkeypatch.setattr(upload, "PART_BYTES", 40_000)
    aside: list[int] = []
    put_aside = upload._put_aside

    def measured(*arguments: object) -> None:
        put_aside(*arguments)  # type: ignore[arg-type]
        aside.append(sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()))

    monkeypatch.setattr(upload, "_put_aside", measured)
    push(Store(f"s3://{bucket}/release", writable=False), "org/name")
    assert hub.files(NAME) == contents(store)
    assert len(hub.commits) > 3
    assert max(aside) <= max(40_000, *(len(content) for content in contents(store).values())) + len(store.read("README.md"))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_another_release_gives_way_and_what_a_user_put_there_stays(store: Store, mined: Store, hub: LoopbackHub, tmp_path: Path) -> None:
    push(mined, "org/name")
    hub.commit(NAME, "Notes", {"NOTES.md": b"mine"})
    push(store, "org/name")
    assert hub.files(NAME) == contents(store) | {"NOTES.md": b"mine"}
    room = next(change for summary, change in zip(hub.commits, hub.changes, strict=True) if summary.startswith("Room for release "))
    old, new = (set(json.loads(one.read(MANIFEST))["files"]) for one in (mined, store))
    assert room == sorted(f"-{name}" for name in {"README.md", MANIFEST} | (old - new))
    shutil.copytree(hub.repositories[NAME][1], tmp_path / "downloaded")
    (tmp_path / "downloaded/NOTES.md").unlink()
    assert list(verify(Store(str(tmp_path / "downloaded"), writable=False))) == []


@pytest.mark.parametrize("name", ["org/name", "no name", "a/b/c"])
def test_a_hub_that_refuses_is_named(store: Store, hub: LoopbackHub, name: str) -> None:
    hub.refuses = True
    with pytest.raises(UserError, match=rf"{name}: the (hub refused: You may not write here|upload stopped: )") as caught:
        push(store, name)
    assert "secret" not in str(caught.value)
    assert not hub.commits


def test_a_damaged_release_is_not_uploaded(sample_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    shutil.copytree(sample_run.folder, folder)
    (folder / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(UserError, match=r"not uploaded: README\.md: has 7 bytes"):
        planned(Store(str(folder), writable=False))
