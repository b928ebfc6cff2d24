from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.release.layout.manifest import MANIFEST, sealed
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.store import Store, json_bytes, parquet_bytes
from tests.conftest import Run

Edit = Callable[[pa.Table], pa.Table]
Edited = Callable[[dict[str, Edit]], Store]


@pytest.fixture(scope="session")
def mined_folder(sample_run: Run) -> Path:
    """A release in several blocks with up to two mined negatives."""
    mined = sample_run.settings.release.model_copy(update={"mined_negatives": 2, "shard_bytes": 8_000})
    released = publish(sample_run.settings.model_copy(update={"release": mined}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    return Path(sample_run.store.root) / released.path


@pytest.fixture(scope="session")
def mined(mined_folder: Path) -> Store:
    return Store(str(mined_folder), writable=False)


@pytest.fixture
def edited(mined_folder: Path, tmp_path: Path) -> Edited:
    """Makes a copy of the release with other rows in some files, whose manifest says so: as an older version may have written it."""

    def edit(edits: dict[str, Edit]) -> Store:
        folder = Path(shutil.copytree(mined_folder, tmp_path / "edited", dirs_exist_ok=True))
        manifest = json.loads((folder / MANIFEST).read_bytes())
        for name, change in edits.items():
            content = parquet_bytes(change(pq.read_table(folder / name)))
            (folder / name).write_bytes(content)
            manifest["files"][name] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (folder / MANIFEST).write_bytes(json_bytes(sealed(manifest)))
        return Store(str(folder), writable=False)

    return edit


def with_negatives(lists: Sequence[list[int]]) -> Edit:
    """Pairs with these negatives."""

    def change(pairs: pa.Table) -> pa.Table:
        place = pairs.schema.get_field_index("negative_rows")
        return pairs.set_column(place, pairs.schema.field(place), pa.array(lists, pa.list_(pa.int64())))

    return change
