"""A release that is changed and then sealed again, as somebody would who knows how: checksums, sizes and the seal are made to fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parallel_qa.pipeline.release.layout.manifest import MANIFEST, sealed
from parallel_qa.pipeline.release.layout.row_digest import rows_sha256
from parallel_qa.pipeline.store import json_bytes, parquet_bytes


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the release in `folder`, whatever is wrong with it."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    return manifest


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest in its place and seal it again."""
    manifest = read_manifest(folder)
    change(manifest)
    replace(folder / MANIFEST, json_bytes(sealed(manifest)))


def rewrite(folder: Path, tables: Mapping[str, pa.Table], digest: bool = True) -> None:
    """Write other tables in the place of files, and seal again; the checksums of rows too, where `digest` says so."""
    facts = {}
    for name, table in tables.items():
        content = parquet_bytes(table)
        replace(folder / name, content)
        facts[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": len(table)}
        if digest:
            facts[name]["rows_sha256"] = rows_sha256(name, table)

    def change(manifest: dict[str, Any]) -> None:
        for name, of_file in facts.items():
            manifest["files"][name] = manifest["files"].get(name, {}) | of_file

    change_manifest(folder, change)


def replace(path: Path, content: bytes) -> None:
    """Write a file anew: where it is a link to another, that one stays."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def read(folder: Path, name: str) -> pa.Table:
    """A file of the release, with the metadata that it has."""
    return pq.ParquetFile(folder / name).read()
