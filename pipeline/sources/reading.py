"""From a file to raw rows, one at a time: Parquet, JSON lines, JSON, CSV and TSV, also gzipped or in a zip.

A row that cannot be read is set aside; a file that cannot be read at all raises UserError.
"""

from __future__ import annotations

import contextlib
import csv
import fnmatch
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import jmespath
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import xxhash

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.sources.card import ENDINGS, Card, Files, Format
from parallel_qa.pipeline.sources.fetching import LocalFile, local_files
from parallel_qa.pipeline.sources.mapping import Raw
from parallel_qa.pipeline.sources.records import SetAside

MAX_RECORD = 16 << 20
"""Bytes of one line at most: a longer one is set aside as `record_too_large`, unread."""
MAX_DOCUMENT = 2 << 30
"""Bytes of a JSON document, unpacked: it is held in memory. JSON lines and Parquet have no such limit."""
MAX_UNPACKING = 200
"""A file that unpacks to more than so many times its size, and to more than 100 MB, is no text but a bomb."""

_BATCH = 1000
Raws = Iterator[Raw | SetAside]
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def raw_rows(card: Card, table: Files, columns: set[str] | None = None) -> Raws:
    """The rows of one table of a card; of Parquet only `columns`, where they are given.

    Raises UserError where a file cannot be had, or is not what the card says.
    """
    count = 0
    for file in local_files(card, table):
        for raw in _read(card, table, file, columns):
            if table.sample is not None and xxhash.xxh3_64_intdigest(raw.position.encode()) >= table.sample * 2**64:
                continue
            if table.limit is not None and count == table.limit:
                return
            count += 1
            yield raw


def _read(card: Card, table: Files, file: LocalFile, columns: set[str] | None) -> Raws:
    if file.path.suffix == ".zip" and table.member:
        yield from _members(card, table, file)
        return
    with _named_where_damaged(card, file):
        if _format(card, table, file.name) == "parquet":
            yield from _parquet(file, columns)
            return
        with _unpacked(file) as stream:
            yield from _text_rows(card, table, file.name, stream)


def _members(card: Card, table: Files, file: LocalFile) -> Raws:
    with _named_where_damaged(card, file), zipfile.ZipFile(file.path) as archive:
        members = [member for member in archive.infolist() if fnmatch.fnmatchcase(member.filename, table.member or "*")]
        if not members:
            raise UserError(f"{card.path}: file {file.name!r} holds no {table.member!r}")
        for member in sorted(members, key=lambda member: member.filename):
            with archive.open(member) as packed, io.BufferedReader(_Guarded(packed, member.compress_size)) as stream:
                yield from _text_rows(card, table, member.filename, stream)


def _text_rows(card: Card, table: Files, name: str, stream: IO[bytes]) -> Raws:
    kind = _format(card, table, name)
    if kind == "jsonl":
        yield from _json_lines(name, stream)
    elif kind in ("csv", "tsv"):
        yield from _delimited(name, stream, table, "\t" if kind == "tsv" else ",")
    else:
        yield from _document(card, name, stream, "data" if kind == "squad" else table.items)


def _format(card: Card, table: Files, name: str) -> Format:
    if table.format:
        return table.format
    ending = PurePosixPath(name.removesuffix(".gz")).suffix
    if ending not in ENDINGS:
        raise UserError(f"{card.path}: format: cannot be told from the name {name!r}: give one of {', '.join(ENDINGS.values())}")
    return ENDINGS[ending]


@contextlib.contextmanager
def _named_where_damaged(card: Card, file: LocalFile) -> Iterator[None]:
    """What a damaged file raises, as an error that names it."""
    try:
        yield
    except (pa.ArrowException, *_DAMAGED) as error:
        raise UserError(f"{card.path}: file {file.name!r} cannot be read: {' '.join(str(error).split())}") from None


def _parquet(file: LocalFile, columns: set[str] | None) -> Raws:
    import datasets  # takes seconds

    names = pq.read_schema(file.path).names
    wanted = None if columns is None else [name for name in names if name in columns]
    rows = datasets.load_dataset(
        "parquet",
        data_files={"rows": str(file.path)},
        split="rows",
        streaming=True,
        columns=wanted,
        batch_size=_BATCH,
        # Else Arrow holds all that it has read until the file ends.
        fragment_scan_options=pyarrow.dataset.ParquetFragmentScanOptions(pre_buffer=False),
    )
    number = 0
    for batch in rows.with_format("arrow").iter(batch_size=_BATCH):
        for row in batch.to_pylist():
            yield Raw(f"{file.name}#{number}", row)
            number += 1


def _json_lines(name: str, stream: IO[bytes]) -> Raws:
    for number, line in _lines(name, stream):
        if isinstance(line, SetAside):
            yield line
        elif line.strip():
            position = f"{name}#{number}"
            try:
                row = json.loads(line.decode("utf-8", "surrogateescape"))
            except (ValueError, RecursionError) as error:
                yield SetAside(position, position, "malformed", detail=" ".join(str(error).split()))
                continue
            yield Raw(position, row) if isinstance(row, dict) else SetAside(position, position, "malformed", detail="no JSON object")


def _delimited(name: str, stream: IO[bytes], table: Files, delimiter: str) -> Raws:
    aside: list[SetAside] = []

    def text() -> Iterator[str]:
        for _, line in _lines(name, stream):
            if isinstance(line, SetAside):
                aside.append(line)
            else:
                yield line.decode("utf-8", "surrogateescape")

    csv.field_size_limit(MAX_RECORD)
    plain = (line.rstrip("\r\n").split(delimiter) for line in text())
    rows: Iterable[list[str]] = csv.reader(text(), delimiter=delimiter) if table.quotes else plain
    header = table.columns
    for number, cells in enumerate(rows, 1):
        yield from aside
        aside.clear()
        if header is None:
            header = cells
        elif cells:
            position = f"{name}#{number}"
            if len(cells) == len(header):
                yield Raw(position, dict(zip(header, cells, strict=True)))
            else:
                yield SetAside(position, position, "malformed", detail=f"{len(cells)} columns instead of {len(header)}")
    yield from aside


def _document(card: Card, name: str, stream: IO[bytes], items: str | None) -> Raws:
    content = stream.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        raise UserError(f"{card.path}: file {name!r}: a JSON document of more than {MAX_DOCUMENT >> 30} GB: store its rows as JSON lines")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{card.path}: file {name!r} is not JSON: {error}") from None
    rows = document if items is None else jmespath.search(items, document)
    if not isinstance(rows, list):
        where = f"has no list {items!r}" if items else "is not a list; name it with `items`"
        raise UserError(f"{card.path}: file {name!r}: the document {where}")
    label = f"{name}#{items}." if items else f"{name}#"
    for number, row in enumerate(rows):
        position = f"{label}{number}"
        yield Raw(position, row) if isinstance(row, dict) else SetAside(position, position, "malformed", detail="no JSON object")


def _lines(name: str, stream: IO[bytes]) -> Iterator[tuple[int, bytes | SetAside]]:
    """The lines of a stream with their numbers, from 1; one that is too long is passed over."""
    number = 0
    while line := stream.readline(MAX_RECORD + 1):
        number += 1
        if len(line) <= MAX_RECORD or line.endswith(b"\n"):
            yield number, line
            continue
        size = len(line)
        while not line.endswith(b"\n") and (line := stream.readline(MAX_RECORD)):
            size += len(line)
        position = f"{name}#{number}"
        yield number, SetAside(position, position, "record_too_large", detail=f"{size} bytes; {MAX_RECORD} are read")


@contextlib.contextmanager
def _unpacked(file: LocalFile) -> Iterator[IO[bytes]]:
    """The content of a file, of a gzipped one unpacked; told by its first bytes."""
    with Path(file.path).open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.open(raw) as stream, io.BufferedReader(_Guarded(stream, file.path.stat().st_size), 1 << 20) as guarded:
            yield guarded


class _Guarded(io.RawIOBase):
    """Reads a packed stream as long as it unpacks to a size that text can have."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, packed_size: int) -> None:
        self._stream = stream
        self._limit = max(100_000_000, MAX_UNPACKING * packed_size)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._read += len(data)
        if self._read > self._limit:
            raise OSError(f"it unpacks to more than {MAX_UNPACKING} times its size: no text does")
        return len(data)
