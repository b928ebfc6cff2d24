"""The files of a release, written and remembered: each says itself what it is part of, and the manifest gets their checksums."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline.release.layout.manifest import MANIFEST, sealed
from parallel_qa.pipeline.release.layout.provenance import METADATA, of_file, provenance, shared_texts
from parallel_qa.pipeline.release.layout.row_digest import rows_sha256
from parallel_qa.pipeline.store import Store, json_bytes, parquet_bytes


class ReleaseFiles:
    """Writes the files of one release; methods may be called from several threads."""

    def __init__(self, store: Store, folder: str, stated: Mapping[str, Any], shared: Mapping[str, Mapping[str, int]]) -> None:
        """`folder` is the release's in the store; `stated` is what its manifest says that is known before a file is written.

        `shared` is by source and table how many texts another source provides; it is asked for when pairs are written.
        """
        self._store = store
        self._folder = folder
        self._provenance = provenance(stated)
        self._shared = shared
        self._files: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """What the manifest says of the files so far."""
        return dict(sorted(self._files.items()))

    def write_shard(self, name: str, rows: pa.Table, group_rows: int) -> None:
        """Write a shard of a table, `group_rows` to a row group."""
        about = self._provenance | of_file(name)
        if about["table"] == "pairs":
            about |= shared_texts(self._shared)
        described = rows.replace_schema_metadata({METADATA: json.dumps(about, sort_keys=True, ensure_ascii=False)})
        content = parquet_bytes(described, group_rows)
        self.write(name, content, rows=len(rows), rows_sha256=rows_sha256(name, rows))

    def write(self, name: str, content: bytes, **facts: int | str) -> None:
        """Write another file; `facts` stand in the manifest beside its checksum and size."""
        self._store.write(f"{self._folder}/{name}", content)
        about = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **facts}
        with self._lock:
            self._files[name] = about

    def write_manifest(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Seal and write the manifest, all of which but the files is given, and return it; no file may be written after it."""
        whole = sealed({**manifest, "files": self.files})
        self._store.write(f"{self._folder}/{MANIFEST}", json_bytes(whole))
        return whole
