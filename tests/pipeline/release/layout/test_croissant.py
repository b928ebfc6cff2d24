from __future__ import annotations

import json
from pathlib import Path

import mlcroissant
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.release.layout.columns import TABLES
from parallel_qa.pipeline.release.layout.croissant import croissant
from parallel_qa.pipeline.release.making.publish import publish
from tests.conftest import Run


@pytest.fixture(scope="module")
def folder(sample_run: Run) -> Path:
    """A release of several shards."""
    small = sample_run.settings.release.model_copy(update={"shard_bytes": 4000})
    released = publish(sample_run.settings.model_copy(update={"release": small}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    assert released.manifest["blocks"] > 2
    return Path(sample_run.store.root) / released.path


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("queries-eng_Latn", "queries/eng_Latn"),
        ("passages-arb_Arab", "passages/arb_Arab"),
        ("rejected-deu_Latn", "rejected/deu_Latn"),
        ("pairs", "pairs"),
    ],
)
def test_mlcroissant_reads_every_row_of_every_shard(folder: Path, name: str, table: str) -> None:
    read = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    target = TABLES[name.split("-")[0]]
    found = [{key.removeprefix(f"{name}/"): value for key, value in record.items()} for record in read.records(name)]
    expected = [row for shard in sorted((folder / table).rglob("*.parquet")) for row in pq.ParquetFile(shard).read().to_pylist()]
    column = "query_row" if table == "pairs" else "id"
    assert [row[column].decode() if isinstance(row[column], bytes) else row[column] for row in found] == [row[column] for row in expected]
    assert expected and all(list(row) == target.names for row in found)


def test_every_table_and_language_is_there_as_on_the_hub(folder: Path) -> None:
    metadata = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    texts = [f"{table}-{code}" for table in ("queries", "passages") for code in ("eng_Latn", "deu_Latn", "arb_Arab", "zho_Hans")]
    rejected = [f"rejected-{code}" for code in ("deu_Latn", "arb_Arab", "zho_Hans")]
    assert [records["@id"] for records in metadata["recordSet"]] == [*texts, *rejected, "pairs"]
    matched = [file for files in metadata["distribution"] for file in folder.glob(files["includes"])]
    assert sorted(matched) == sorted(folder.rglob("*.parquet"))
    assert {files["@type"] for files in metadata["distribution"]} == {"cr:FileSet"}


def test_it_gives_no_address_that_is_not_its_own_and_does_not_grow_with_shards(sample_run: Run, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    text = json.dumps(croissant(manifest, "test"))
    assert "example.org" not in text and "url" not in json.loads(text)
    other = croissant(sample_run.release.manifest, "test")
    assert len(json.dumps(other)) == len(text)
    assert len(text) < 7000 * len(other["recordSet"])
