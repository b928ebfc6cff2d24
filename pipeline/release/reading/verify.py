"""Is a release what it says it is? Everything is read again, and every fault is named by file and row."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.policy import REASONS
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, faults, shards
from parallel_qa.pipeline.release.layout.order import Leads, block_at, block_of, pair_keys, shuffle_keys, text_hashes
from parallel_qa.pipeline.release.making.build import pair_tally
from parallel_qa.pipeline.release.making.table_rows import ENGLISH_BIT
from parallel_qa.pipeline.store import Store, parquet_table
from parallel_qa.pipeline.tally import Tally

_SHARD = re.compile(r"\d{5}\.parquet")
_NUMBERS = {reason: number for number, reason in enumerate(REASONS, 1)}


@dataclass(frozen=True)
class Fault:
    """Something that is wrong."""

    file: str
    what: str
    row: int | None = None  # in the file, the first is 0

    def __str__(self) -> str:
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.what}"


def verify(store: Store, progress: Progress | None = None) -> Iterator[Fault]:
    """Read the release that lies in `store` (its folder), and yield every fault.

    Files are compared with the manifest, then the rows with what they have to be: schema, order, blocks, alignment of languages,
    references, bit sets, and counts by source, language and reason. Of one kind of fault in one file the first row is named, with how
    many there are. Raises UserError where there is no manifest.
    """
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None
    manifest, wrong = faults(content)
    yield from (Fault(MANIFEST, what) for what in wrong)
    if manifest is not None:
        yield from _Check(store, manifest, progress or LogProgress()).run()


class _Check:
    def __init__(self, store: Store, manifest: dict[str, Any], progress: Progress) -> None:
        self._store = store
        self._manifest = manifest
        self._progress = progress
        self._files: dict[str, dict[str, Any]] = manifest["files"]
        self._languages: list[str] = manifest["languages"]
        self._seed: int = manifest["settings"]["release"]["seed"]
        self._blocks: int = manifest["blocks"]
        # By table: the row after the last of each shard.
        self._ends: dict[str, NDArray[np.int64]] = {}
        self._whole = True  # whether all that decides about the blocks of queries could be read
        self._hashes: dict[str, NDArray[np.uint64]] = {}
        self._bits: dict[str, NDArray[np.int64]] = {}
        self._why: dict[tuple[str, str], NDArray[np.int8]] = {}
        self._tallies: Counter[tuple[str, str, str, str | None]] = Counter()
        self._english: dict[str, pa.Table] = {}

    def run(self) -> Iterator[Fault]:
        self._progress.start("verify", len(self._files), "files")
        yield from self._listing()
        for table in schema.TEXTS:
            yield from self._texts(table)
        for code in self._languages[1:]:
            yield from self._rejected(code)
        yield from self._pairs()
        yield from self._sums()
        for name in self._files:
            if not name.endswith(".parquet"):
                yield from self._plain(name)
        self._progress.finish("verify")

    def _listing(self) -> Iterator[Fault]:
        """What is there and should not be, or should and is not."""
        there = set(self._store.walk("")) - {MANIFEST}
        yield from (Fault(name, "is not in the manifest") for name in sorted(there - set(self._files)))
        yield from (Fault(name, "is missing") for name in sorted(set(self._files) - there))
        expected = {
            *(f"{table}/{code}" for table in schema.TEXTS for code in self._languages),
            *(f"rejected/{code}/{table}" for table in schema.TEXTS for code in self._languages[1:]),
            "pairs",
        }
        for folder in sorted(expected):
            if self._shards(folder) != [f"{folder}/{number:05d}.parquet" for number in range(self._blocks)]:
                yield Fault(MANIFEST, f"files: {folder} is not one shard for each of the {self._blocks} blocks, from 00000 on")
        for name in self._files:
            folder, _, file = name.rpartition("/")
            if _SHARD.fullmatch(file) and folder not in expected:
                yield Fault(name, "is no table of this release")

    def _shards(self, folder: str) -> list[str]:
        return shards(self._manifest, folder)

    def _content(self, name: str) -> tuple[bytes | None, list[Fault]]:
        """The bytes of a file if they are those of the manifest."""
        self._progress.advance("verify", 1)
        try:
            content = self._store.read(name)
        except FileNotFoundError:
            return None, []  # is missing, as was said
        facts = self._files[name]
        if len(content) != facts["bytes"]:
            return None, [Fault(name, f"has {len(content)} bytes, and {facts['bytes']} in the manifest")]
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            return None, [Fault(name, "its checksum is not that of the manifest")]
        return content, []

    def _plain(self, name: str) -> Iterator[Fault]:
        _, found = self._content(name)
        yield from found

    def _table(self, name: str, target: pa.Schema) -> tuple[pa.Table | None, list[Fault]]:
        content, found = self._content(name)
        if content is None:
            return None, found
        try:
            table = parquet_table(content)
        except (pa.ArrowException, OSError) as error:
            return None, [Fault(name, f"is no Parquet file: {error}")]
        if not table.schema.equals(target):
            return None, [Fault(name, "its columns are not those of this table (docs: pipeline/schema.py)")]
        if len(table) != self._files[name]["rows"]:
            return None, [Fault(name, f"has {len(table)} rows, and {self._files[name]['rows']} in the manifest")]
        return table, []

    def _texts(self, table: str) -> Iterator[Fault]:
        """One table of texts in all languages, shard by shard."""
        target = schema.released_texts(table)
        total = self._manifest["rows"][table]
        self._hashes[table] = np.zeros(total, np.uint64)
        self._bits[table] = np.full(total, 1 << ENGLISH_BIT, dtype=np.int64)
        for code in self._languages[1:]:
            self._why[table, code] = np.zeros(total, np.int8)
        shards = self._shards(f"{table}/{ENGLISH.code}")
        self._ends[table] = np.cumsum([self._files[name]["rows"] or 0 for name in shards], dtype=np.int64)
        start = 0
        for number, name in enumerate(shards):
            english, found = self._table(name, target)
            yield from found
            rows = self._files[name]["rows"] or 0
            if english is None or start + rows > total:
                self._whole = False
            else:
                keys = shuffle_keys(text_hashes(english["id"]), self._seed)
                self._hashes[table][start : start + rows] = text_hashes(english["id"])
                yield from _rows(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
                if table == "passages":
                    yield from _rows(name, block_of(keys, self._blocks) != number, "is of another block")
                yield from _rows(name, _nulls(english["text"]), "has no English text")
                yield from _rows(name, ~_nulls(english["reject_reason"]), "is rejected, and nothing English is")
                sources = pa.array(list(self._manifest["sources"]))
                yield from _rows(name, ~_mask(pc.is_in(english["source"], value_set=sources)), "is of no source of the manifest")
                for source in self._manifest["sources"]:
                    self._tallies[source, ENGLISH.code, table, None] += _count(pc.equal(english["source"], source))
            for bit, code in enumerate(self._languages[1:], ENGLISH_BIT + 1):
                yield from self._translated(table, code, bit, number, english, start, rows)
            start += rows
        if start != total:
            yield Fault(MANIFEST, f"rows.{table} is {total}, and its shards have {start}")

    def _translated(self, table: str, code: str, bit: int, number: int, english: pa.Table | None, start: int, rows: int) -> Iterator[Fault]:
        name = f"{table}/{code}/{number:05d}.parquet"
        if name not in self._files:
            yield Fault(MANIFEST, f"files: {name} is missing, which English has")
            return
        texts, found = self._table(name, schema.released_texts(table))
        yield from found
        if texts is None or english is None:
            return
        if len(texts) != rows:
            yield Fault(name, f"has {len(texts)} rows, and English has {rows}")
            return
        for column in ("id", "source"):
            yield from _rows(name, _mask(pc.not_equal(texts[column], english[column])), f"has another {column} than the English row")
        reasons, nothing = texts["reject_reason"], _nulls(texts["text"])
        yield from _rows(name, nothing & _nulls(reasons), "has no text and no reason why")
        yield from _rows(name, ~nothing & ~_nulls(reasons), "has a text and a reason to reject it")
        known = _mask(pc.is_in(reasons, value_set=pa.array(REASONS))) | _nulls(reasons)
        yield from _rows(name, ~known, "is rejected for no reason that there is")
        numbers = np.array([0 if reason is None else _NUMBERS.get(reason, 0) for reason in reasons.to_pylist()], np.int8)
        if start + rows <= len(self._bits[table]):
            self._why[table, code][start : start + rows] = numbers
            self._bits[table][start : start + rows] |= (~nothing).astype(np.int64) << bit
        for group in texts.group_by(["source", "reject_reason"]).aggregate([([], "count_all")]).to_pylist():
            self._tallies[group["source"], code, table, group["reject_reason"]] += group["count_all"]

    def _rejected(self, code: str) -> Iterator[Fault]:
        """The rejected texts of one language: those of its tables, with the same first reason."""
        seen = 0
        for table in schema.TEXTS:
            why = self._why[table, code]
            found_rows = np.zeros(len(why), dtype=bool)
            for number, name in enumerate(self._shards(f"rejected/{code}/{table}")):
                texts, found = self._table(name, schema.REJECTED_TEXTS)
                yield from found
                if texts is None:
                    return
                seen += len(texts)
                rows = texts["row"].to_numpy()
                outside = (rows < 0) | (rows >= len(why)) | _mask(pc.not_equal(texts["table"], table))
                yield from _rows(name, outside, f"is of no row of {table}")
                if outside.any():
                    return
                yield from _rows(name, block_at(rows, self._ends[table]) != number, f"is of a row of {table} in another block")
                found_rows[rows] = True
                first = np.array([_NUMBERS.get(reasons[0], 0) if reasons else 0 for reasons in texts["reasons"].to_pylist()], np.int8)
                yield from _rows(name, why[rows] != first, f"gives another reason than the row of {table}/{code}")
                ids = text_hashes(texts["id"])
                yield from _rows(name, self._hashes[table][rows] != ids, f"has another id than the row of {table}/{code}")
            lost = np.flatnonzero((why > 0) & ~found_rows)
            if len(lost):
                yield Fault(
                    f"rejected/{code}/{table}", f"{len(lost)} rejected texts of {table}/{code} are not here, the first is its row {lost[0]}"
                )
        if seen != self._manifest["rejected"].get(code):
            yield Fault(MANIFEST, f"rejected.{code} is {self._manifest['rejected'].get(code)}, and there are {seen}")

    def _pairs(self) -> Iterator[Fault]:
        total = 0
        sizes = {table: len(bits) for table, bits in self._bits.items()}
        leads = Leads(shuffle_keys(self._hashes["queries"], self._seed))
        for number, name in enumerate(self._shards("pairs")):
            pairs, found = self._table(name, schema.RELEASED_PAIRS)
            yield from found
            if pairs is None:
                self._whole = False
                continue
            total += len(pairs)
            queries, passages = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
            outside = (queries < 0) | (queries >= sizes["queries"]) | (passages < 0) | (passages >= sizes["passages"])
            yield from _rows(name, outside, "points at a row that there is not")
            yield from _rows(
                name, self._wrong_negatives(pairs, sizes["passages"]), "has a negative that there is not, or that is its positive"
            )
            if outside.any():
                self._whole = False
                continue
            for column, rows, table in (("query_langs", queries, "queries"), ("passage_langs", passages, "passages")):
                wrong = pairs[column].to_numpy() != self._bits[table][rows]
                yield from _rows(name, wrong, f"{column} is not what survived in {table}")
            keys = pair_keys(self._hashes["queries"][queries], self._hashes["passages"][passages], self._seed)
            yield from _rows(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
            yield from _rows(name, block_at(queries, self._ends["queries"]) != number, "is in another block than its query")
            leads.add(queries, shuffle_keys(self._hashes["passages"][passages], self._seed))
            self._count_pairs(pairs, queries, passages)
        if total != self._manifest["rows"]["pairs"]:
            yield Fault(MANIFEST, f"rows.pairs is {self._manifest['rows']['pairs']}, and its shards have {total}")
        if self._whole:
            yield from self._query_blocks(block_of(leads.keys(), self._blocks))

    def _query_blocks(self, blocks: NDArray[np.int64]) -> Iterator[Fault]:
        """`blocks` are those that the pairs say, by query."""
        start = 0
        for number, name in enumerate(self._shards(f"queries/{ENGLISH.code}")):
            end = int(self._ends["queries"][number])
            yield from _rows(name, blocks[start:end] != number, "is in another block than its pairs say")
            start = end

    def _wrong_negatives(self, pairs: pa.Table, passages: int) -> NDArray[np.bool_]:
        lists = pairs["negative_rows"].combine_chunks()
        wrong = np.zeros(len(pairs), dtype=bool)
        owners = pc.list_parent_indices(lists).to_numpy()
        flat = pc.list_flatten(lists).to_numpy()
        bad = (flat < 0) | (flat >= passages) | (flat == pairs["passage_row"].to_numpy()[owners])
        wrong[owners[bad]] = True
        return wrong

    def _count_pairs(self, pairs: pa.Table, queries: NDArray[np.int64], passages: NDArray[np.int64]) -> None:
        for source in self._manifest["sources"]:
            mine = _mask(pc.equal(pairs["source"], source))
            self._tallies[source, ENGLISH.code, "pairs", None] += int(mine.sum())
            for code in self._languages[1:]:
                tally = pair_tally(self._why["queries", code][queries[mine]], self._why["passages", code][passages[mine]])
                self._tallies[source, code, "pairs", None] += tally.kept
                for reason, count in tally.rejected.items():
                    self._tallies[source, code, "pairs", reason] += count

    def _sums(self) -> Iterator[Fault]:
        """The counts of the manifest against those of the rows; kept + rejected = read."""
        for source, facts in self._manifest["sources"].items():
            rows = facts["rows"]
            if rows["kept"] + sum(rows["rejected"].values()) != rows["read"]:
                yield Fault(MANIFEST, f"sources.{source}.rows: kept and rejected are not what was read")
            for table in ("queries", "passages", "pairs"):
                counted = self._tallies[source, ENGLISH.code, table, None]
                if counted != facts["provided"][table]:
                    yield Fault(MANIFEST, f"sources.{source}.provided.{table} is {facts['provided'][table]}, and there are {counted}")
                for code in self._languages[1:]:
                    found = {
                        reason: count
                        for (of, language, name, reason), count in self._tallies.items()
                        if (of, language, name) == (source, code, table)
                    }
                    tally = Tally(sum(found.values()), Counter({reason: count for reason, count in found.items() if reason and count}))
                    if tally.to_json() != facts["languages"].get(code, {}).get(table):
                        yield Fault(MANIFEST, f"sources.{source}.languages.{code}.{table} is not what the rows say: {tally.to_json()}")


def _rows(file: str, wrong: NDArray[np.bool_], what: str, shift: int = 0) -> Iterator[Fault]:
    """A fault for the first of the `wrong` rows, and how many there are."""
    places = np.flatnonzero(wrong)
    if len(places):
        more = f" ({len(places)} rows)" if len(places) > 1 else ""
        yield Fault(file, f"{what}{more}", int(places[0]) + shift)


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(values, True).to_numpy(zero_copy_only=False)
    return mask.astype(bool)


def _nulls(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = values.is_null().to_numpy()
    return mask.astype(bool)


def _count(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)
