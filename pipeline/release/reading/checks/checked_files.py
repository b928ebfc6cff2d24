"""The files of a release, read once each and compared with what the manifest says of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.release.layout.provenance import METADATA, of_file, provenance, shared_texts
from parallel_qa.pipeline.release.layout.row_digest import rows_sha256
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault
from parallel_qa.pipeline.store import Store, parquet_table


class CheckedFiles:
    """Reads the files of a release and says what is wrong with each by itself."""

    def __init__(self, store: Store, claims: Claims, progress: Progress) -> None:
        """`progress` follows the unit "verify", which must have been started."""
        self._store = store
        self._files = claims.files
        self._provenance = provenance(claims.manifest)
        self._shared = shared_texts({source: facts["shared"] for source, facts in claims.sources.items()})
        self._progress = progress
        self.read: set[str] = set()
        """The names of those that were asked for."""

    def content(self, name: str) -> tuple[bytes | None, list[Fault]]:
        """The bytes of a file if they are those of the manifest, else why they are not."""
        self.read.add(name)
        self._progress.advance("verify", 1)
        try:
            content = self._store.read(name)
        except FileNotFoundError:
            return None, []  # is missing, as is said where files are listed
        except (OSError, UserError) as error:
            return None, [Fault(name, f"cannot be read: {error}")]
        facts = self._files[name]
        if len(content) != facts["bytes"]:
            return None, [Fault(name, f"has {len(content)} bytes, and {facts['bytes']} in the manifest")]
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            return None, [Fault(name, "its checksum is not that of the manifest")]
        return content, []

    def rows(self, name: str, target: pa.Schema) -> tuple[pa.Table | None, list[Fault]]:
        """The rows of a file if they are of the schema `target`, and what is wrong with it; None where they cannot be judged."""
        content, wrong = self.content(name) if name in self._files else (None, [])
        if content is None:
            return None, wrong
        facts = self._files[name]
        try:
            footer = pq.read_metadata(pa.BufferReader(content))
            if footer.num_rows != facts.get("rows"):
                return None, [Fault(name, f"has {footer.num_rows} rows, and {facts.get('rows')} in the manifest")]
            if footer.num_rows > len(content):  # rows have ids, or are different pairs by chance: none takes less than a byte
                return None, [Fault(name, f"has {footer.num_rows} rows in {len(content)} bytes, which is no table of a release")]
            table = parquet_table(content)
            table.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            return None, [Fault(name, f"is no Parquet file: {error}")]
        if not table.schema.equals(target):
            return None, [Fault(name, "its columns are not those of this table (docs: pipeline/schema.py)")]
        if rows_sha256(name, table) != facts.get("rows_sha256"):
            wrong.append(Fault(name, "the checksum of its rows is not that of the manifest"))
        return table, [*wrong, *self._provenance_faults(name, table.schema.metadata or {})]

    def _provenance_faults(self, name: str, metadata: dict[bytes, bytes]) -> Iterator[Fault]:
        """Whether a file says itself that it is part of this release, and which."""
        expected: dict[str, Any] = self._provenance | of_file(name)
        if expected["table"] == "pairs":
            expected |= self._shared
        try:
            said = json.loads(metadata.get(METADATA.encode(), b"{}"))
        except (ValueError, RecursionError):
            said = None
        said = said if isinstance(said, dict) else {}
        for part in sorted(expected.keys() | said.keys()):
            if said.get(part) != expected.get(part):
                yield Fault(name, f"its metadata have another {part} than {'its place' if part in of_file(name) else 'the manifest'}")
