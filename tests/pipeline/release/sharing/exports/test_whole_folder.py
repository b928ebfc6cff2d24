from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.sharing.exports.whole_folder import whole_folder

WRITER = """
import sys
from pathlib import Path
from parallel_qa.pipeline.release.sharing.exports.whole_folder import whole_folder
with whole_folder(Path(sys.argv[1])) as (made, scratch):
    (made / "file").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_there_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "new/folder"
    with whole_folder(target) as (made, scratch):
        (made / "sub").mkdir()
        (made / "sub/file").write_text("content")
        (scratch / "big").write_text("scratch")
        assert not target.exists()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "new",
        "new/folder",
        "new/folder/sub",
        "new/folder/sub/file",
    ]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as (made, _):
        (made / "file").write_text("content")
    assert (tmp_path / "empty/file").read_text() == "content"


def test_after_an_error_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "folder") as (made, _):
        (made / "file").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_no_folder_and_is_removed_by_the_next_and_two_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"writing\n"
        with pytest.raises(UserError, match="another process is writing it"), whole_folder(target):
            pass
        process.send_signal(signal.SIGKILL)
    assert [path.name for path in tmp_path.iterdir()] == [".folder.part"]
    with whole_folder(target) as (made, _):
        assert list(made.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="this one cannot be replaced: name a new folder inside it"), whole_folder(Path()):
        pass


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_a_place_that_cannot_hold_a_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=rf"{tmp_path}/{name}"), whole_folder(tmp_path / name):
        pass
