"""Where a run keeps its files: paths, atomic writes, checksums and fingerprints, over fsspec.

Work is kept as *units*. A unit is a folder `PATH/FINGERPRINT/` with data files and, written last,
`record.json`, which lists every file with its checksum. A unit without a record does not exist, so a
run that is killed leaves nothing that a later run could mistake for finished work. The fingerprint
covers all that the unit's content depends on: the same fingerprint means that there is nothing to do.

Several writers may make the same unit. A data file is named after its content, so that none overwrites
another's, and the record is only created, never replaced: whoever finishes first has made the unit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import fsspec.implementations.local
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from parallel_qa.pipeline.errors import UserError

RECORD = "record.json"
_READERS = 16
"""Records read at a time: those of an object store come slowly one by one."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def fingerprint(**inputs: Any) -> str:
    """Sixteen hexadecimal digits that stand for `inputs` (values that JSON can write)."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a local file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parquet_bytes(table: pa.Table, row_group_rows: int = 10_000) -> bytes:
    """`table` as a Parquet file, with fixed options, so that equal tables give equal bytes."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", compression_level=3, version="2.6", write_page_index=True) as writer:
        if len(table):  # `datasets` reads a file without row groups, but not a row group without rows
            writer.write_table(table, row_group_rows)
    return sink.getvalue()


def parquet_table(content: bytes) -> pa.Table:
    """The table in a Parquet file.

    The bytes are read from memory of Arrow's own: its threads let go of what they read a moment after they are done, and
    where that were a Python object while the interpreter ends, the process would be aborted.
    """
    buffer = pa.allocate_buffer(len(content))
    memoryview(buffer).cast("B")[:] = content
    return pq.read_table(pa.BufferReader(buffer), pre_buffer=False)


def json_bytes(content: Any) -> bytes:
    """`content` as JSON that is the same for equal contents."""
    return (json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


@dataclass(frozen=True)
class StoredFile:
    """One file of a unit."""

    sha256: str
    bytes: int
    rows: int | None = None  # of a Parquet file
    stored: str | None = None
    """Its name in the unit's folder; the name that the unit calls it by where none is given, as in stores of older versions."""


@dataclass(frozen=True)
class FileRef:
    """A file of a finished unit, to be read without a look at the unit's record."""

    path: str  # in the store
    sha256: str
    rows: int = 0


@dataclass(frozen=True)
class Record:
    """What a finished unit holds."""

    path: str
    fingerprint: str
    files: Mapping[str, StoredFile]
    facts: Mapping[str, Any]  # what the stage wants to remember: counts, times

    @property
    def checksum(self) -> str:
        """One checksum for all files, for the fingerprints of the units that depend on this one."""
        return fingerprint(**{name: file.sha256 for name, file in self.files.items()})

    def shards(self, table: str) -> list[str]:
        """The files of a table, in order: `TABLE/00000.parquet`, `TABLE/00001.parquet`, …"""
        return sorted(name for name in self.files if name.startswith(f"{table}/"))

    def rows(self, table: str) -> int:
        return sum(self.files[name].rows or 0 for name in self.shards(table))

    @property
    def folder(self) -> str:
        """Where the unit's files are."""
        return f"{self.path}/{self.fingerprint}"

    def ref(self, name: str) -> FileRef:
        """The file that the unit calls `name`."""
        file = self.files[name]
        return FileRef(f"{self.folder}/{file.stored or name}", file.sha256, file.rows or 0)


@dataclass
class UnitWriter:
    """Writes the files of one unit; see `Store.write_unit`."""

    store: Store
    folder: str
    facts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)

    def write(self, name: str, content: bytes, rows: int | None = None) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        stem, dot, ending = name.rpartition(".")
        stored = f"{stem}-{sha256[:8]}{dot}{ending}"
        self.store.write(f"{self.folder}/{stored}", content)
        self.files[name] = StoredFile(sha256, len(content), rows, stored)

    def write_table(self, name: str, table: pa.Table) -> None:
        self.write(name, parquet_bytes(table), table.num_rows)


class Store:
    """A folder on a local disk or below an `s3://` address."""

    def __init__(self, url: str, writable: bool = True) -> None:
        """Raises UserError where `url` is no address, or cannot be written to and should be `writable`."""
        self.url = url
        try:
            self._fs, self.root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise UserError(f"store {url!r}: {error}") from None
        self.local = isinstance(self._fs, fsspec.implementations.local.LocalFileSystem)
        if not writable:
            return
        probe = f".writable-{uuid.uuid4().hex}"
        try:
            self.write(probe, b"")
            self._fs.rm_file(self._full(probe))
        except OSError as error:
            raise UserError(f"store {url!r} cannot be written to ({error.strerror or error}): choose another --store") from None

    def _full(self, path: str) -> str:
        """The path in the file system; refuses anything that could lead out of the store."""
        for part in path.split("/"):
            if not _NAME.fullmatch(part.removeprefix(".")):
                raise UserError(f"{path!r} is no path inside a store: {part!r} is not a plain name")
        return f"{self.root}/{path}"

    def write(self, path: str, content: bytes) -> None:
        """Write a file so that it appears whole or not at all."""
        full = self._full(path)
        if not self.local:
            # An object store shows an object only once it is complete.
            self._fs.pipe_file(full, content)
            return
        os.makedirs(os.path.dirname(full), exist_ok=True)
        temporary = f"{full}.{uuid.uuid4().hex}.part"
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, full)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def create(self, path: str, content: bytes) -> bool:
        """Write a file so that it appears whole or not at all, unless it is there already; whether it was written."""
        full = self._full(path)
        if not self.local:
            try:
                self._fs.pipe_file(full, content, mode="create")
            except FileExistsError:
                return False
            return True
        beside = f"{path}.{uuid.uuid4().hex}.part"
        self.write(beside, content)
        try:
            os.link(self._full(beside), full)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: of two writers at the same moment the later one's file stays
            if self.exists(path):
                return False
            self.write(path, content)
        finally:
            os.unlink(self._full(beside))
        return True

    def read(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""
        content: bytes = self._fs.cat_file(self._full(path))
        return content

    def exists(self, path: str) -> bool:
        return bool(self._fs.exists(self._full(path)))

    def names(self, path: str) -> list[str]:
        """The names of files and folders in a folder, sorted; none where there is no such folder."""
        return sorted(self._entries(path))

    def _entries(self, path: str) -> dict[str, str]:
        """What is in a folder: by name, whether it is a "file" or a "directory"."""
        try:
            entries = self._fs.ls(self._full(path), detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rstrip("/").rsplit("/", 1)[-1]: entry["type"] for entry in entries}

    def walk(self, path: str) -> Iterator[str]:
        """The paths of all files in the folder `path` (the whole store where it is empty) and below it, sorted."""
        folder = self._full(path) if path else self.root
        self._fs.invalidate_cache()  # other machines write here too
        for full in sorted(self._fs.find(folder)):
            yield str(full).removeprefix(str(self.root).rstrip("/")).lstrip("/")

    def local_path(self, path: str) -> str:
        """The path as a user would type it: on a local disk a path, else an address."""
        full = self._full(path)
        return os.path.relpath(full) if self.local else str(self._fs.unstrip_protocol(full))

    @contextlib.contextmanager
    def write_unit(self, path: str, fingerprint: str) -> Iterator[UnitWriter]:
        """A writer for the unit `path`; the unit exists once the `with` block has ended without an error.

        Where another writer has made the unit meanwhile, it stays as that one made it.
        """
        writer = UnitWriter(self, f"{path}/{fingerprint}")
        yield writer
        files = {name: vars(file) for name, file in writer.files.items()}
        if self.create(f"{writer.folder}/{RECORD}", json_bytes({"files": files, "facts": writer.facts})):
            return
        first = self.record(path, fingerprint)
        kept = {file.stored for file in first.files.values()} if first else set()
        for file in writer.files.values():
            if file.stored not in kept:
                with contextlib.suppress(FileNotFoundError):  # a third writer made the same one, and removes it too
                    self._fs.rm_file(self._full(f"{writer.folder}/{file.stored}"))

    def record(self, path: str, fingerprint: str) -> Record | None:
        """The record of a finished unit, or None where it has yet to be made. Raises UserError where it cannot be read."""
        name = f"{path}/{fingerprint}/{RECORD}"
        try:
            content = json.loads(self.read(name))
            files = {name: StoredFile(**file) for name, file in content["files"].items()}
            return Record(path, fingerprint, files, content["facts"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{self.local_path(name)} is damaged (it is no record of a unit): delete its folder and run again") from None

    def finished_units(self, path: str) -> list[tuple[str, str]]:
        """Path and fingerprint of all finished units in the folder `path` and below it, sorted; one listing."""
        folders = [name.removesuffix(f"/{RECORD}") for name in self.walk(path) if name.endswith(f"/{RECORD}")]
        return [(folder.rpartition("/")[0], folder.rpartition("/")[2]) for folder in folders]

    def records(self, path: str) -> Iterator[Record]:
        """The records of all finished units in the folder `path` and below it, in the order of their paths."""
        with ThreadPoolExecutor(_READERS) as pool:
            yield from filter(None, pool.map(lambda unit: self.record(*unit), self.finished_units(path)))

    def read_table(self, record: Record, name: str) -> pa.Table:
        """A Parquet file of a unit. Raises UserError where it is missing or not the file that was written."""
        return self.read_file(record.ref(name))

    def read_file(self, file: FileRef) -> pa.Table:
        """A Parquet file of a unit. Raises UserError where it is missing or not the file that was written."""
        return checked_table(self, file.path, file.sha256)

    def read_tables(self, record: Record, table: str) -> pa.Table:
        """All shards of a table of a unit, in order."""
        return pa.concat_tables([self.read_table(record, name) for name in record.shards(table)])

    def dataset(self, paths: Sequence[str]) -> ds.Dataset:
        """Parquet files as one table that is read as it is needed; nothing is checked."""
        return ds.dataset([self._full(path) for path in paths], filesystem=self._fs, format="parquet")

    def read_parquet(self, path: str) -> pa.Table:
        """A Parquet file that this process has just written; nothing is checked."""
        return parquet_table(self.read(path))

    def move_folder(self, source: str, target: str) -> None:
        """Give a finished folder its final name; on a local disk in one step."""
        if self.local:
            os.makedirs(os.path.dirname(self._full(target)), exist_ok=True)
            os.replace(self._full(source), self._full(target))
        else:
            self._fs.mv(self._full(source), self._full(target), recursive=True)

    def remove_folder(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._full(path), recursive=True)


def checked_table(store: Store, path: str, sha256: str) -> pa.Table:
    """The Parquet file `path` if its checksum is `sha256`; raises UserError if it is missing or damaged."""
    try:
        content = store.read(path)
    except FileNotFoundError:
        raise UserError(f"{store.local_path(path)} is missing: delete its folder and run again") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{store.local_path(path)} is damaged (its checksum is wrong): delete its folder and run again")
    return parquet_table(content)
