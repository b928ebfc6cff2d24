"""How CTranslate2 is told among which pieces to decode."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.store import fingerprint
from parallel_qa.pipeline.translation.models import Model

_MAP = "vmap.txt"


def folder_with_map(model: Model, candidates: Sequence[str]) -> Path:
    """A folder with the files of the model and CTranslate2's vocabulary map: one line, of pieces that are always candidates.

    It lies in the cache and holds links, so that one file of weights serves all languages.
    """
    folder = Environment().cache.expanduser() / "candidates" / fingerprint(folder=str(model.folder.resolve()), pieces=list(candidates))
    if folder.is_dir():
        return folder
    building = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    building.mkdir(parents=True)
    try:
        for file in model.folder.resolve().iterdir():
            if file.name != _MAP:  # a model may bring one of its own
                (building / file.name).symlink_to(file)
        (building / _MAP).write_text("\t" + " ".join(candidates) + "\n", encoding="utf-8")
        building.rename(folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
        if not folder.is_dir():  # another process may have been first
            raise
    return folder
