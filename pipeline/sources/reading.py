"""From a file to raw rows, one at a time: Parquet, JSON lines, JSON, CSV and TSV, also gzipped or in a zip.

A row that cannot be read is set aside; a file that cannot be read at all raises UserError.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import fnmatch
import gzip
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import jmespath
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.parsing import one_line
from parallel_qa.pipeline.sources.card import ENDINGS, Card, Files, Format
from parallel_qa.pipeline.sources.fetching import LocalFile, local_files
from parallel_qa.pipeline.sources.mapping import UNFORESEEN, Raw
from parallel_qa.pipeline.sources.records import SetAside

MAX_RECORD = 16 << 20
"""Bytes of one line at most: a longer one is set aside as `record_too_large`, unread."""
MAX_DOCUMENT = 2 << 30
"""Bytes of a JSON document, unpacked: it is held in memory. JSON lines and Parquet have no such limit."""
MAX_UNPACKING = 200
"""A file that unpacks to more than so many times its size, and to more than 100 MB, is no text but a bomb."""

MAX_NESTING = 100
"""Lists and objects inside each other, in a JSON document that Python cannot read for its depth."""

_BATCH = 1000
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]', re.DOTALL)
Raws = Iterator[Raw | SetAside]
_DAMAGED = (OSError, EOFError, RuntimeError, UnicodeError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What libraries raise where a file is cut, or bytes of it have changed; beside what Arrow does."""


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
        yield from _delimited(card, name, stream, table, "\t" if kind == "tsv" else ",")
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
        raise UserError(f"{card.path}: file {file.name!r} cannot be read: {one_line(error) or type(error).__name__}") from None


def _parquet(file: LocalFile, columns: set[str] | None) -> Raws:
    number = 0
    with pq.ParquetFile(file.path, pre_buffer=False) as content:
        wanted = None if columns is None else [name for name in content.schema_arrow.names if name in columns]
        for batch in content.iter_batches(_BATCH, columns=wanted):
            for row in _rows_of(batch):
                position = f"{file.name}#{number}"
                yield Raw(position, row) if isinstance(row, dict) else _unreadable(position, row)
                number += 1


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a batch; for one that has no form in Python, what it raises."""
    try:
        yield from batch.to_pylist()
    except UNFORESEEN:
        for place in range(batch.num_rows):
            try:
                [row] = batch.slice(place, 1).to_pylist()
                yield row
            except UNFORESEEN as error:
                yield error


def _unreadable(position: str, error: Exception) -> SetAside:
    """A row that holds no UTF-8, or a value such as a date of the year 10000."""
    return SetAside(position, position, "broken_encoding" if isinstance(error, UnicodeError) else "malformed", detail=one_line(error))


def _json_lines(name: str, stream: IO[bytes]) -> Raws:
    for number, line in _lines(name, stream):
        if isinstance(line, SetAside):
            yield line
        elif line.strip():
            position = f"{name}#{number}"
            try:
                row = json.loads(_decoded(line))
            except (ValueError, RecursionError) as error:
                yield SetAside(position, position, "malformed", detail=one_line(error))
                continue
            yield Raw(position, row) if isinstance(row, dict) else SetAside(position, position, "malformed", detail="no JSON object")


def _delimited(card: Card, name: str, stream: IO[bytes], table: Files, delimiter: str) -> Raws:
    lines = _lines(name, stream)
    header = table.columns
    for record in _quoted_records(name, lines, delimiter) if table.quotes else _plain_records(lines, delimiter):
        if header is None:
            if isinstance(record, SetAside):
                raise UserError(f"{card.path}: file {name!r}: its first line, the names of the columns, cannot be read: {record.detail}")
            header = record[1]
        elif isinstance(record, SetAside):
            yield record
        else:
            number, cells = record
            position = f"{name}#{number}"
            if len(cells) == len(header):
                yield Raw(position, dict(zip(header, cells, strict=True)))
            else:
                yield SetAside(position, position, "malformed", detail=f"{len(cells)} columns instead of {len(header)}")


_Line = tuple[int, bytes | SetAside]
_Record = tuple[int, list[str]] | SetAside


def _plain_records(lines: Iterator[_Line], delimiter: str) -> Iterator[_Record]:
    """The cells of each line, with the line's number."""
    for number, line in lines:
        yield line if isinstance(line, SetAside) else (number, _decoded(line).rstrip("\r\n").split(delimiter))


def _quoted_records(name: str, lines: Iterator[_Line], delimiter: str) -> Iterator[_Record]:
    """The cells of each record, which quotation marks may let go on over several lines, with the number of its first line.

    Where quotation marks are wrong, the first line of the record is set aside, and the next line begins another.
    """
    csv.field_size_limit(2 * MAX_RECORD)
    again: deque[_Line] = deque()
    taken: list[_Line] = []

    def next_line() -> _Line | None:
        return again.popleft() if again else next(lines, None)

    def texts() -> Iterator[str]:
        size = 0
        while True:
            entry = next_line()
            if entry is None:
                raise csv.Error("a quotation mark is not closed")
            taken.append(entry)
            if isinstance(entry[1], SetAside):
                raise csv.Error("a quotation mark is not closed before a line that is too long")
            size += len(entry[1])
            if size > MAX_RECORD:
                raise csv.Error(f"a quotation mark is not closed within {MAX_RECORD} bytes")
            yield _decoded(entry[1])

    while first := next_line():
        number, line = first
        if isinstance(line, SetAside):
            yield line
            continue
        again.appendleft(first)
        taken.clear()
        try:
            cells = next(csv.reader(texts(), delimiter=delimiter, strict=True))
        except csv.Error as error:
            again.extendleft(reversed(taken[1:]))
            position = f"{name}#{number}"
            yield SetAside(position, position, "malformed", detail=one_line(error))
            continue
        if cells:
            yield number, cells


def _document(card: Card, name: str, stream: IO[bytes], items: str | None) -> Raws:
    content = stream.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        raise UserError(f"{card.path}: file {name!r}: a JSON document of more than {MAX_DOCUMENT >> 30} GB: store its rows as JSON lines")
    try:
        document = _parsed(content.decode(json.detect_encoding(content), "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{card.path}: file {name!r} is not JSON: {error}") from None
    try:
        rows = document if items is None else jmespath.search(items, document)
    except UNFORESEEN:
        rows = None
    if not isinstance(rows, list):
        where = f"has no list {items!r}" if items else "is not a list; name it with `items`"
        raise UserError(f"{card.path}: file {name!r}: the document {where}")
    label = f"{name}#{items}." if items else f"{name}#"
    for number, row in enumerate(rows):
        position = f"{label}{number}"
        yield Raw(position, row) if isinstance(row, dict) else SetAside(position, position, "malformed", detail="no JSON object")


def _parsed(document: str) -> Any:
    """A JSON document. Of what Python does not read, it has null for what is nested too deeply, and infinity for numbers of 4300 digits."""
    try:
        return json.loads(document)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        return json.loads(_without_deep_nesting(document), parse_int=lambda digits: int(digits) if len(digits) < 1000 else float(digits))


def _without_deep_nesting(document: str) -> str:
    """`document` with null for the lists and objects that are inside `MAX_NESTING` others."""
    kept: list[str] = []
    depth = end = 0
    for match in _STRING_OR_BRACKET.finditer(document):
        if match[0] in "[{":
            depth += 1
            if depth == MAX_NESTING + 1:
                kept.append(document[end : match.start()])
        elif match[0] in "]}":
            depth -= 1
            if depth == MAX_NESTING:
                kept.append("null")
                end = match.end()
    return "".join([*kept, document[end:]])


def _lines(name: str, stream: IO[bytes]) -> Iterator[_Line]:
    """The lines of a stream with their numbers, from 1; one that is too long is passed over."""
    number = 0
    while line := stream.readline(MAX_RECORD + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) <= MAX_RECORD or line.endswith(b"\n"):
            yield number, line
            continue
        size = len(line)
        while not line.endswith(b"\n") and (line := stream.readline(MAX_RECORD)):
            size += len(line)
        position = f"{name}#{number}"
        yield number, SetAside(position, position, "record_too_large", detail=f"{size} bytes; {MAX_RECORD} are read")


def _decoded(line: bytes) -> str:
    """The text of a line; bytes that are no UTF-8 become lone surrogates, by which the row is set aside."""
    return line.decode("utf-8", "surrogateescape")


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
