"""A folder that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from parallel_qa.pipeline.errors import UserError


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A folder to write to, which becomes `folder` when the block ends without an error, and one for scratch files, which is removed.

    Both are in `.NAME.part` beside `folder`. A killed process leaves that behind, and the next one with the same `folder` removes it.
    Raises UserError where `folder` holds something, cannot be made, or is being written by another process.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: choose another folder, or delete it")
    target = folder.resolve()
    if target == Path.cwd() or target.is_mount():
        raise UserError(f"{folder}: the folder is put in place as a whole, and this one cannot be replaced: name a new folder inside it")
    aside = target.with_name(f".{target.name}.part")
    try:
        aside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: nothing can be written beside it ({error.strerror or error}): choose another folder") from None
    try:
        lock = FileLock(aside / "lock").acquire(timeout=0)
    except Timeout:
        raise UserError(f"{folder}: another process is writing it: wait for that, or choose another folder") from None
    made, scratch = aside / "made", aside / "scratch"
    with lock:
        try:
            for part in (made, scratch):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
            yield made, scratch
            try:
                os.replace(made, target)
            except OSError as error:
                raise UserError(f"{folder}: not put in place ({error.strerror or error}): choose another folder") from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)
