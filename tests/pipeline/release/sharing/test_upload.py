from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.sharing.upload import planned, push
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.loopback_hub import LoopbackHub


def test_the_whole_release_goes_up_in_one_commit(sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(sample_run.folder), writable=False)
    with LoopbackHub().serve() as hub:
        hub.stand_in(monkeypatch, tmp_path)
        monkeypatch.setenv("HF_TOKEN", "secret")
        address = push(store, "org/name")
    assert address.endswith("/datasets/org/name/commit/" + "0" * 40)
    assert hub.created == {"datasets/org/name": True}
    assert hub.commits == [f"Release {sample_run.release.manifest['version']}"]
    files = {str(file.relative_to(sample_run.folder)): file.read_bytes() for file in sample_run.folder.rglob("*") if file.is_file()}
    assert hub.uploaded["datasets/org/name"] == files
    assert {upload.name: upload.bytes for upload in planned(store)} == {name: len(content) for name, content in files.items()}


def test_a_hub_that_refuses_is_named(sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackHub(refuses=True).serve() as hub:
        hub.stand_in(monkeypatch, tmp_path)
        monkeypatch.setenv("HF_TOKEN", "secret")
        with pytest.raises(UserError, match=r"org/name: the hub refused: You may not write here") as caught:
            push(Store(str(sample_run.folder), writable=False), "org/name")
    assert "secret" not in str(caught.value)
    assert not hub.uploaded


def test_a_damaged_release_is_not_uploaded(sample_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    shutil.copytree(sample_run.folder, folder)
    (folder / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(UserError, match=r"not uploaded: README\.md: has 7 bytes"):
        planned(Store(str(folder), writable=False))
