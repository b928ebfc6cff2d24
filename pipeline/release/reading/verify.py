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
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, manifest_faults, shards
from parallel_qa.pipeline.release.layout.order import Leads, block_at, block_of, pair_keys, shuffle_keys, text_hashes
from parallel_qa.pipeline.release.layout.survival import (
    ENGLISH_BIT,
    NOT_TRANSLATED,
    REASONS,
    ReasonNumbers,
    language_bits,
    lost_answers,
    pair_tally,
    reason_numbers,
)
from parallel_qa.pipeline.settings import FilterSettings
from parallel_qa.pipeline.store import Store, parquet_table
from parallel_qa.pipeline.tables import one_array
from parallel_qa.pipeline.tally import Tally

_SHARD = re.compile(r"\d{5}\.parquet")


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
    references, bit sets, what is not translated, and counts by source, language and reason. Of one kind of fault in one file the first
    row is named, with how many there are. Raises UserError where there is no manifest.
    """
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None
    manifest, wrong = manifest_faults(content)
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
        self._blocks_known = True  # whether all that decides about the blocks of queries could be read
        # By table, row by row: the id, and in which languages the text survived; by table and language: why not.
        self._hashes: dict[str, NDArray[np.uint64]] = {}
        self._bits: dict[str, NDArray[np.int64]] = {}
        self._reasons: dict[tuple[str, str], ReasonNumbers] = {}
        # By source, language, table and reason: rows.
        self._tallies: Counter[tuple[str, str, str, str | None]] = Counter()

    def run(self) -> Iterator[Fault]:
        self._progress.start("verify", len(self._files), "files")
        yield from self._check_listing()
        for table in schema.TEXTS:
            yield from self._check_texts(table)
        for code in self._languages[1:]:
            yield from self._check_rejected(code)
        yield from self._check_pairs()
        yield from self._check_counts()
        for name in self._files:
            if not name.endswith(".parquet"):
                yield from self._checked_content(name)[1]
        self._progress.finish("verify")

    def _check_listing(self) -> Iterator[Fault]:
        """What is there and should not be, or should and is not."""
        present = set(self._store.walk("")) - {MANIFEST}
        yield from (Fault(name, "is not in the manifest") for name in sorted(present - set(self._files)))
        yield from (Fault(name, "is missing") for name in sorted(set(self._files) - present))
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

    def _checked_content(self, name: str) -> tuple[bytes | None, list[Fault]]:
        """The bytes of a file if they are those of the manifest, else why they are not."""
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

    def _checked_rows(self, name: str, target: pa.Schema) -> tuple[pa.Table | None, list[Fault]]:
        """The rows of a file if they are of the schema `target`, else why they are not."""
        content, wrong = self._checked_content(name)
        if content is None:
            return None, wrong
        try:
            table = parquet_table(content)
        except (pa.ArrowException, OSError) as error:
            return None, [Fault(name, f"is no Parquet file: {error}")]
        if not table.schema.equals(target):
            return None, [Fault(name, "its columns are not those of this table (docs: pipeline/schema.py)")]
        if len(table) != self._files[name]["rows"]:
            return None, [Fault(name, f"has {len(table)} rows, and {self._files[name]['rows']} in the manifest")]
        return table, []

    def _check_texts(self, table: str) -> Iterator[Fault]:
        """One table of texts in all languages, shard by shard."""
        target = schema.released_texts(table)
        total = self._manifest["rows"][table]
        self._hashes[table] = np.zeros(total, np.uint64)
        self._bits[table] = np.full(total, 1 << ENGLISH_BIT, dtype=np.int64)
        for code in self._languages[1:]:
            self._reasons[table, code] = np.zeros(total, np.int8)
        shards = self._shards(f"{table}/{ENGLISH.code}")
        self._ends[table] = np.cumsum([self._files[name]["rows"] or 0 for name in shards], dtype=np.int64)
        start = 0
        for number, name in enumerate(shards):
            english, wrong = self._checked_rows(name, target)
            yield from wrong
            rows = self._files[name]["rows"] or 0
            if english is None or start + rows > total:
                self._blocks_known = False
            else:
                keys = shuffle_keys(text_hashes(english["id"]), self._seed)
                self._hashes[table][start : start + rows] = text_hashes(english["id"])
                yield from _row_faults(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
                if table == "passages":
                    yield from _row_faults(name, block_of(keys, self._blocks) != number, "is of another block")
                yield from _row_faults(name, _is_null(english["text"]), "has no English text")
                yield from _row_faults(name, ~_is_null(english["reject_reason"]), "is rejected, and nothing English is")
                sources = pa.array(list(self._manifest["sources"]))
                yield from _row_faults(
                    name, ~_true_or_null(pc.is_in(english["source"], value_set=sources)), "is of no source of the manifest"
                )
                for source in self._manifest["sources"]:
                    self._tallies[source, ENGLISH.code, table, None] += int(pc.sum(pc.equal(english["source"], source)).as_py() or 0)
            for bit, code in enumerate(self._languages[1:], ENGLISH_BIT + 1):
                yield from self._check_translated(table, code, bit, number, english, start, rows)
            start += rows
        if start != total:
            yield Fault(MANIFEST, f"rows.{table} is {total}, and its shards have {start}")

    def _check_translated(
        self, table: str, code: str, bit: int, number: int, english: pa.Table | None, start: int, rows: int
    ) -> Iterator[Fault]:
        """A shard in one language, beside the same shard in English, whose first row is the row `start` of the table."""
        name = f"{table}/{code}/{number:05d}.parquet"
        if name not in self._files:
            yield Fault(MANIFEST, f"files: {name} is missing, which English has")
            return
        texts, wrong = self._checked_rows(name, schema.released_texts(table))
        yield from wrong
        if texts is None or english is None:
            return
        if len(texts) != rows:
            yield Fault(name, f"has {len(texts)} rows, and English has {rows}")
            return
        for column in ("id", "source"):
            yield from _row_faults(
                name, _true_or_null(pc.not_equal(texts[column], english[column])), f"has another {column} than the English row"
            )
        reasons, nothing = texts["reject_reason"], _is_null(texts["text"])
        yield from _row_faults(name, nothing & _is_null(reasons), "has no text and no reason why")
        yield from _row_faults(name, ~nothing & ~_is_null(reasons), "has a text and a reason to reject it")
        known = _true_or_null(pc.is_in(reasons, value_set=pa.array(REASONS))) | _is_null(reasons)
        yield from _row_faults(name, ~known, "is rejected for no reason that there is")
        yield from self._check_untranslated(name, code, texts)
        numbers = reason_numbers(reasons.to_pylist())
        if start + rows <= len(self._bits[table]):
            self._reasons[table, code][start : start + rows] = numbers
            self._bits[table][start : start + rows] |= (~nothing).astype(np.int64) << bit
        for group in texts.group_by(["source", "reject_reason"]).aggregate([([], "count_all")]).to_pylist():
            self._tallies[group["source"], code, table, group["reject_reason"]] += group["count_all"]

    def _check_untranslated(self, name: str, code: str, texts: pa.Table) -> Iterator[Fault]:
        """The rows of sources that are not translated into a language: they and no others say so, and there is nothing else of them."""
        sources = [source for source, facts in self._manifest["sources"].items() if code in facts.get("not_translated", [])]
        expected = _true_or_null(pc.is_in(texts["source"], value_set=pa.array(sources, pa.string())))
        marked = _true_or_null(pc.equal(texts["reject_reason"], NOT_TRANSLATED)) & ~_is_null(texts["reject_reason"])
        yield from _row_faults(name, marked & ~expected, f"is {NOT_TRANSLATED}, and the manifest does not say so of its source")
        yield from _row_faults(name, expected & ~marked, f"has another reason than {NOT_TRANSLATED}, which the manifest says of its source")
        for column in [*({"title"} & set(texts.column_names)), *schema.SCORES.names]:
            yield from _row_faults(name, marked & ~_is_null(texts[column]), f"is {NOT_TRANSLATED} and has a value in {column}")

    def _check_rejected(self, code: str) -> Iterator[Fault]:
        """The rejected texts of one language: those of its tables, with the same first reason."""
        total = 0
        [not_translated] = reason_numbers([NOT_TRANSLATED])
        for table in schema.TEXTS:
            numbers = self._reasons[table, code]
            present = np.zeros(len(numbers), dtype=bool)
            for number, name in enumerate(self._shards(f"rejected/{code}/{table}")):
                texts, wrong = self._checked_rows(name, schema.REJECTED_TEXTS)
                yield from wrong
                if texts is None:
                    return
                total += len(texts)
                rows = texts["row"].to_numpy()
                outside = (rows < 0) | (rows >= len(numbers)) | _true_or_null(pc.not_equal(texts["table"], table))
                yield from _row_faults(name, outside, f"is of no row of {table}")
                if outside.any():
                    return
                yield from _row_faults(name, block_at(rows, self._ends[table]) != number, f"is of a row of {table} in another block")
                present[rows] = True
                first = reason_numbers([reasons[0] if reasons else None for reasons in texts["reasons"].to_pylist()])
                yield from _row_faults(name, numbers[rows] != first, f"gives another reason than the row of {table}/{code}")
                yield from _row_faults(name, first == not_translated, f"is {NOT_TRANSLATED}: no filter rejected it")
                ids = text_hashes(texts["id"])
                yield from _row_faults(name, self._hashes[table][rows] != ids, f"has another id than the row of {table}/{code}")
            lost = np.flatnonzero((numbers > 0) & (numbers != not_translated) & ~present)
            if len(lost):
                yield Fault(
                    f"rejected/{code}/{table}", f"{len(lost)} rejected texts of {table}/{code} are not here, the first is its row {lost[0]}"
                )
        if total != self._manifest["rejected"].get(code):
            yield Fault(MANIFEST, f"rejected.{code} is {self._manifest['rejected'].get(code)}, and there are {total}")

    def _check_pairs(self) -> Iterator[Fault]:
        total = 0
        sizes = {table: len(bits) for table, bits in self._bits.items()}
        leads = Leads(shuffle_keys(self._hashes["queries"], self._seed))
        for number, name in enumerate(self._shards("pairs")):
            pairs, wrong = self._checked_rows(name, schema.RELEASED_PAIRS)
            yield from wrong
            if pairs is None:
                self._blocks_known = False
                continue
            total += len(pairs)
            queries, passages = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
            outside = (queries < 0) | (queries >= sizes["queries"]) | (passages < 0) | (passages >= sizes["passages"])
            yield from _row_faults(name, outside, "points at a row that there is not")
            yield from _row_faults(
                name, self._wrong_negatives(pairs, sizes["passages"]), "has a negative that there is not, or that is its positive"
            )
            if outside.any():
                self._blocks_known = False
                continue
            lost, wrong_scores = self._lost_answers(pairs)
            yield from _row_faults(name, wrong_scores, "has not one score of its answer for each language")
            for column, survived, what in (
                ("query_langs", self._bits["queries"][queries], "what survived in queries"),
                ("passage_langs", self._bits["passages"][passages] & ~language_bits(lost), "where the passage survived with the answer"),
            ):
                yield from _row_faults(name, pairs[column].to_numpy() != survived, f"{column} is not {what}")
            keys = pair_keys(self._hashes["queries"][queries], self._hashes["passages"][passages], self._seed)
            yield from _row_faults(name, keys[1:] <= keys[:-1], "is not in the order of the release", 1)
            yield from _row_faults(name, block_at(queries, self._ends["queries"]) != number, "is in another block than its query")
            leads.add(queries, shuffle_keys(self._hashes["passages"][passages], self._seed))
            self._count_pairs(pairs, queries, passages, lost)
        if total != self._manifest["rows"]["pairs"]:
            yield Fault(MANIFEST, f"rows.pairs is {self._manifest['rows']['pairs']}, and its shards have {total}")
        if self._blocks_known:
            yield from self._check_query_blocks(block_of(leads.keys(), self._blocks))

    def _check_query_blocks(self, blocks: NDArray[np.int64]) -> Iterator[Fault]:
        """`blocks` are those that the pairs say, by query."""
        start = 0
        for number, name in enumerate(self._shards(f"queries/{ENGLISH.code}")):
            end = int(self._ends["queries"][number])
            yield from _row_faults(name, blocks[start:end] != number, "is in another block than its pairs say")
            start = end

    def _wrong_negatives(self, pairs: pa.Table, passages: int) -> NDArray[np.bool_]:
        lists = pairs["negative_rows"].combine_chunks()
        wrong = np.zeros(len(pairs), dtype=bool)
        owners = pc.list_parent_indices(lists).to_numpy()
        flat = pc.list_flatten(lists).to_numpy()
        bad = (flat < 0) | (flat >= passages) | (flat == pairs["passage_row"].to_numpy()[owners])
        wrong[owners[bad]] = True
        return wrong

    def _lost_answers(self, pairs: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each pair and language but English whether the answer is lost; and of each pair whether its scores are of another number."""
        filters = FilterSettings.model_validate(self._manifest["settings"]["filters"])
        codes = self._languages[1:]
        lists = one_array(pairs["answer_scores"])
        sizes = pc.list_value_length(lists)
        wrong = _true_or_null(pc.not_equal(pc.fill_null(sizes, len(codes)), len(codes)))
        scores = np.full((len(pairs), len(codes)), np.nan, dtype=np.float32)
        given = ~wrong & ~_is_null(sizes)
        scores[given] = lists.filter(pa.array(given)).flatten().to_numpy(zero_copy_only=False).reshape(-1, len(codes))
        return lost_answers(scores, [filters.of(code, "passages") for code in codes]), wrong

    def _count_pairs(
        self, pairs: pa.Table, queries: NDArray[np.int64], passages: NDArray[np.int64], lost_answers: NDArray[np.bool_]
    ) -> None:
        for source in self._manifest["sources"]:
            own = _true_or_null(pc.equal(pairs["source"], source))
            self._tallies[source, ENGLISH.code, "pairs", None] += int(own.sum())
            for place, code in enumerate(self._languages[1:]):
                of_queries, of_passages = self._reasons["queries", code][queries[own]], self._reasons["passages", code][passages[own]]
                tally = pair_tally(of_queries, of_passages, lost_answers[own, place])
                self._tallies[source, code, "pairs", None] += tally.kept
                for reason, count in tally.rejected.items():
                    self._tallies[source, code, "pairs", reason] += count

    def _check_counts(self) -> Iterator[Fault]:
        """The counts of the manifest against those of the rows; kept + rejected = read."""
        for source, facts in self._manifest["sources"].items():
            rows = facts["rows"]
            if rows["kept"] + sum(rows["rejected"].values()) != rows["read"]:
                yield Fault(MANIFEST, f"sources.{source}.rows: kept and rejected are not what was read")
            for code in sorted(set(facts.get("not_translated", [])) - set(self._languages[1:])):
                yield Fault(MANIFEST, f"sources.{source}.not_translated has {code}, which is no language of the release besides English")
            for table in ("queries", "passages", "pairs"):
                counted = self._tallies[source, ENGLISH.code, table, None]
                if counted != facts["provided"][table]:
                    yield Fault(MANIFEST, f"sources.{source}.provided.{table} is {facts['provided'][table]}, and there are {counted}")
                for code in self._languages[1:]:
                    counts = {
                        reason: count
                        for (of, language, name, reason), count in self._tallies.items()
                        if (of, language, name) == (source, code, table)
                    }
                    tally = Tally(sum(counts.values()), Counter({reason: count for reason, count in counts.items() if reason and count}))
                    if tally.to_json() != facts["languages"].get(code, {}).get(table):
                        yield Fault(MANIFEST, f"sources.{source}.languages.{code}.{table} is not what the rows say: {tally.to_json()}")


def _row_faults(file: str, wrong: NDArray[np.bool_], what: str, shift: int = 0) -> Iterator[Fault]:
    """A fault for the first of the `wrong` rows, and how many there are."""
    places = np.flatnonzero(wrong)
    if len(places):
        more = f" ({len(places)} rows)" if len(places) > 1 else ""
        yield Fault(file, f"{what}{more}", int(places[0]) + shift)


def _true_or_null(values: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    """Which values are true, or null, where nothing can be said."""
    mask: NDArray[np.bool_] = pc.fill_null(values, True).to_numpy(zero_copy_only=False)
    return mask.astype(bool)


def _is_null(values: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = values.is_null().to_numpy(zero_copy_only=False)
    return mask.astype(bool)
