"""The tables of a release, written shard by shard, in memory that does not grow with it. Shard k of each table is block k (`order`).

What is kept of every row is a few numbers: its place, in which languages it survived, why it was rejected. Texts pass through.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.assembly import english_wholes
from parallel_qa.pipeline.filters.policy import REASONS
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.release.layout.order import (
    Leads,
    Order,
    block_at,
    block_of,
    in_blocks,
    in_order,
    number_of_blocks,
    pair_keys,
    shuffle_keys,
    text_hashes,
)
from parallel_qa.pipeline.release.making.negatives import fill_up, mine
from parallel_qa.pipeline.release.making.shuffle import Shuffle
from parallel_qa.pipeline.release.making.table_rows import ENGLISH_BIT, english_rows, pair_rows, rejected_rows, translated_rows
from parallel_qa.pipeline.settings import FilterSettings, ReleaseSettings
from parallel_qa.pipeline.tally import Tally

_PAIR_BYTES = 100
"""About what a pair takes, with the names of its source and row and its answer."""
_WRITERS = 4
_WAITING = 6
"""Shards in memory on their way: some more than are being compressed, so that the next table is read meanwhile."""

WriteTable = Callable[[str, pa.Table, int], None]
"""Writes one shard: the file's name, its rows, and how many make a row group. Called from several threads."""


class Source(Protocol):
    """What a release needs of a source: its tables, shard by shard, in the order of their rows."""

    @property
    def name(self) -> str: ...

    def english(self, table: str) -> Iterator[pa.Table]:
        """The English texts of "queries" or "passages"."""

    def pairs(self) -> Iterator[pa.Table]:
        """The pairs, of schema `schema.PAIRS`."""

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        """The scored texts in one language, of schema `schema.scored(table)`."""


@dataclass
class Built:
    """What was written, in numbers."""

    blocks: int = 1
    """Shards of each table."""
    rows: dict[str, int] = field(default_factory=dict)
    """Rows of each table: queries, passages, pairs."""
    provided: dict[str, dict[str, int]] = field(default_factory=dict)
    """By source and table: texts that the release has from this source."""
    shared: dict[str, dict[str, int]] = field(default_factory=dict)
    """By source and table: texts of this source that the release has from an earlier one."""
    pairs: dict[str, int] = field(default_factory=dict)
    """By source: pairs of the release that it provides."""
    shared_pairs: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """By source, language and table (queries, passages, pairs): what became of what it provides."""
    rejected: dict[str, int] = field(default_factory=dict)
    """By language: rows of its table of rejected texts."""


def build(
    sources: Sequence[Source],
    languages: Sequence[str],
    filters: FilterSettings,
    settings: ReleaseSettings,
    write: WriteTable,
    scratch: Path,
    progress: Progress,
) -> Built:
    """Write all tables of a release: English, then each of `languages` (NLLB codes), what they rejected, and the pairs.

    `scratch` is a local folder for what is on its way from one order to another.
    """
    progress.start("publish", 2 * (1 + len(languages)) + 1, "tables")
    builder = _Builder(list(sources), list(languages), filters, settings, scratch, progress)
    with _Writers(write) as writers:
        builder.place()
        for table in schema.TEXTS:
            builder.texts(table, writers)
        builder.pairs(writers)
    progress.finish("publish")
    return builder.built


class _Writers:
    """Shards on their way to the store: compressed in threads, and only a few at a time in memory."""

    def __init__(self, write: WriteTable) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(min(_WRITERS, os.cpu_count() or 1))
        self._running: deque[Future[None]] = deque()

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            while self._running and error[0] is None:
                self._running.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def shard(self, name: str, rows: pa.Table, group_rows: int) -> None:
        while len(self._running) >= _WAITING:
            self._running.popleft().result()
        self._running.append(self._pool.submit(self._write, name, rows, group_rows))

    def table(self, name: str, blocks: Iterable[pa.Table], group_rows: int) -> int:
        """Write a table, each block a shard. Returns the rows."""
        total = 0
        for number, rows in enumerate(blocks):
            self.shard(f"{name}/{number:05d}.parquet", rows, group_rows)
            total += len(rows)
        return total


@dataclass
class _Builder:
    sources: list[Source]
    languages: list[str]
    filters: FilterSettings
    settings: ReleaseSettings
    scratch: Path
    progress: Progress
    built: Built = field(default_factory=Built)

    def __post_init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._hashes: dict[str, dict[str, NDArray[np.uint64]]] = {}
        self._group_rows: dict[str, int] = {}
        self._bits: dict[str, NDArray[np.int64]] = {}
        self._lengths: dict[tuple[str, str], policy.Lengths] = {}
        self._english: dict[str, list[str]] = {}
        # By table, language and row of the release: 0, or which of REASONS rejected it, counted from 1.
        self._why: dict[tuple[str, str], NDArray[np.int8]] = {}

    def texts(self, table: str, writers: _Writers) -> None:
        """Write one table of texts in every language, and what was rejected of it."""
        order, target = self._orders[table], schema.released_texts(table)
        self._bits[table] = np.full(order.total, 1 << ENGLISH_BIT, dtype=np.int64)
        shuffle = Shuffle(self.scratch / f"{table}-{ENGLISH.code}", target, order.ends)
        for source in self.sources:
            for start, texts in _with_start(source.english(table)):
                mask, places = self._part(order, source, start, len(texts))
                shuffle.add(english_rows(texts, table, source.name).filter(pa.array(mask)), places[mask])
        writers.table(f"{table}/{ENGLISH.code}", self._seen(table, shuffle.stretches()), self._group_rows[table])
        self.progress.advance("publish", 1)
        for bit, code in enumerate(self.languages, ENGLISH_BIT + 1):
            self._language(table, code, bit, writers)
            self.progress.advance("publish", 1)

    def _seen(self, table: str, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The English rows on their way; their texts are kept where negatives are to be found among them."""
        for part in parts:
            if self.settings.mined_negatives:
                self._english.setdefault(table, []).extend(english_wholes(part))
            yield part

    def place(self) -> None:
        """Find the order of the texts, and from their length in how many blocks they go."""
        size = sum(self._keys(table) for table in schema.TEXTS)
        queries, passages = self._orders["queries"], self._orders["passages"]
        blocks = self.built.blocks = number_of_blocks(size, self.settings.shard_bytes, passages.total)
        leads = Leads(queries.keys)
        for source in self.sources:
            for pairs in source.pairs():
                of_query, of_passage = (
                    order.places[source.name][pairs[name].to_numpy()] for order, name in ((queries, "query_row"), (passages, "passage_row"))
                )
                leads.add(of_query, passages.keys[of_passage])
        self._orders["queries"] = in_blocks(queries, block_of(leads.keys(), blocks), blocks)
        self._orders["passages"] = in_blocks(passages, block_of(passages.keys, blocks), blocks)

    def _keys(self, table: str) -> int:
        """Find the order of a table in one block. Returns the bytes of its texts."""
        hashes: dict[str, NDArray[np.uint64]] = {}
        sizes: dict[str, NDArray[np.int64]] = {}
        for source in self.sources:
            found, lengths, of_texts = [], [], []
            for texts in source.english(table):
                found.append(text_hashes(texts["id"]))
                lengths.append(policy.text_lengths(texts))
                of_texts.append(_sizes(texts))
            self._lengths[table, source.name] = np.concatenate(lengths) if lengths else np.zeros(0, np.int32)
            hashes[source.name] = np.concatenate(found) if found else np.zeros(0, np.uint64)
            sizes[source.name] = np.concatenate(of_texts) if of_texts else np.zeros(0, np.int64)
        self._hashes[table] = hashes
        order = in_order({name: shuffle_keys(of_source, self.settings.seed) for name, of_source in hashes.items()})
        self._orders[table] = order
        self.built.rows[table] = order.total
        for name, mask in order.provided.items():
            self.built.provided.setdefault(name, {})[table] = int(mask.sum())
            self.built.shared.setdefault(name, {})[table] = int((~mask).sum())
        size = sum(int(sizes[name][mask].sum()) for name, mask in order.provided.items())
        self._group_rows[table] = _group_rows(self.settings, size / max(order.total, 1))
        return size

    def _language(self, table: str, code: str, bit: int, writers: _Writers) -> None:
        order, target = self._orders[table], schema.released_texts(table)
        why = self._why[table, code] = np.zeros(order.total, dtype=np.int8)
        kept = Shuffle(self.scratch / f"{table}-{code}", target, order.ends)
        fallen = Shuffle(self.scratch / f"{table}-{code}-rejected", schema.REJECTED_TEXTS, order.ends)
        thresholds = self.filters.of(code, table)
        for source in self.sources:
            tally = self.built.tallies.setdefault((source.name, code, table), Tally())
            for start, scored in _with_start(source.scored(code, table)):
                mask, places = self._part(order, source, start, len(scored))
                hits = policy.hits(scored, self._lengths[table, source.name][start : start + len(scored)], thresholds)
                reasons = policy.first_reasons(hits)
                numbers = np.array([0 if reason is None else _NUMBERS[reason] for reason in reasons], dtype=np.int8)
                why[places[mask]] = numbers[mask]
                self._bits[table][places[mask & (numbers == 0)]] |= 1 << bit
                self.built.tallies[source.name, code, table] = tally = tally + _tally(numbers[mask])
                rows = translated_rows(scored, pa.array(reasons, pa.string()), table, source.name)
                kept.add(rows.filter(pa.array(mask)), places[mask])
                chosen = np.flatnonzero(mask & (numbers > 0))
                if len(chosen):
                    rejected = rejected_rows(scored, hits, chosen.tolist(), places, table, source.name)
                    fallen.add(rejected, places[chosen])
        writers.table(f"{table}/{code}", kept.stretches(), self._group_rows[table])
        count = writers.table(f"rejected/{code}/{table}", fallen.stretches(), self._group_rows[table])
        self.built.rejected[code] = self.built.rejected.get(code, 0) + count

    def _part(self, order: Order, source: Source, start: int, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        part = slice(start, start + rows)
        return order.provided[source.name][part], order.places[source.name][part]

    def pairs(self, writers: _Writers) -> None:
        """Write the pairs, and count in each language those of which both sides survived."""
        keys, blocks = {}, {}
        of_queries = self._orders["queries"]
        for source in self.sources:
            found, in_block = [], []
            for pairs in source.pairs():
                queries, passages = (
                    self._hashes[table][source.name][pairs[name].to_numpy()]
                    for table, name in (("queries", "query_row"), ("passages", "passage_row"))
                )
                found.append(pair_keys(queries, passages, self.settings.seed))
                in_block.append(block_at(of_queries.places[source.name][pairs["query_row"].to_numpy()], of_queries.ends))
            keys[source.name] = np.concatenate(found) if found else np.zeros(0, np.uint64)
            blocks[source.name] = np.concatenate(in_block) if in_block else np.zeros(0, np.int64)
        order = in_order(keys)
        of_rows = np.zeros(order.total, np.int64)
        for name, of_source in blocks.items():
            of_rows[order.places[name]] = of_source
        order = in_blocks(order, of_rows, self.built.blocks)
        mined = self._mined() if self.settings.mined_negatives else None
        shuffle = Shuffle(self.scratch / "pairs", schema.RELEASED_PAIRS, order.ends)
        for source in self.sources:
            queries_at, passages_at = (self._orders[table].places[source.name] for table in ("queries", "passages"))
            for start, pairs in _with_start(source.pairs()):
                mask, at = self._part(order, source, start, len(pairs))
                rows = pair_rows(pairs, queries_at, passages_at, self._bits["queries"], self._bits["passages"]).filter(pa.array(mask))
                if mined is not None:
                    rows = self._with_negatives(rows, mined)
                shuffle.add(rows, at[mask])
                self._count(source.name, rows)
            self.built.pairs[source.name] = int(order.provided[source.name].sum())
            self.built.shared_pairs[source.name] = int((~order.provided[source.name]).sum())
        self.built.rows["pairs"] = writers.table("pairs", shuffle.stretches(), _group_rows(self.settings, _PAIR_BYTES))
        self.progress.advance("publish", 1)

    def _mined(self) -> NDArray[np.int64]:
        """Hard negatives of every query of the release."""
        links: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for source in self.sources:
            places = [self._orders[table].places[source.name] for table in ("queries", "passages")]
            for pairs in source.pairs():
                links.append((places[0][pairs["query_row"].to_numpy()], places[1][pairs["passage_row"].to_numpy()]))
        queries, passages = (np.concatenate([side[number] for side in links]) for number in (0, 1))
        texts = self._english
        return mine(texts.get("queries", []), texts.get("passages", []), (queries, passages), self.settings.mined_negatives)

    def _with_negatives(self, pairs: pa.Table, mined: NDArray[np.int64]) -> pa.Table:
        chosen = mined[pairs["query_row"].to_numpy()]
        filled = fill_up(pairs["negative_rows"].to_pylist(), chosen, pairs["passage_row"].to_numpy(), self.settings.mined_negatives)
        place = pairs.schema.get_field_index("negative_rows")
        return pairs.set_column(place, pairs.schema.field(place), pa.array(filled, pa.list_(pa.int64())))

    def _count(self, source: str, pairs: pa.Table) -> None:
        queries, passages = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
        for code in self.languages:
            query, passage = self._why["queries", code][queries], self._why["passages", code][passages]
            key = (source, code, "pairs")
            self.built.tallies[key] = self.built.tallies.get(key, Tally()) + pair_tally(query, passage)


_NUMBERS = {reason: number for number, reason in enumerate(REASONS, 1)}


def pair_tally(query: NDArray[np.int8], passage: NDArray[np.int8]) -> Tally:
    """What became of pairs, from the numbers of the reasons of both sides; the query's goes first."""
    numbers = np.where(query > 0, query, np.where(passage > 0, passage + len(REASONS), 0))
    counts = np.bincount(numbers, minlength=2 * len(REASONS) + 1).tolist()
    names = [f"{side}_{reason}" for side in ("query", "passage") for reason in REASONS]
    return Tally(len(numbers), Counter({name: count for name, count in zip(names, counts[1:], strict=True) if count}))


def _tally(numbers: NDArray[np.int8]) -> Tally:
    counts = np.bincount(numbers, minlength=len(REASONS) + 1).tolist()
    return Tally(len(numbers), Counter({reason: count for reason, count in zip(REASONS, counts[1:], strict=True) if count}))


def _group_rows(settings: ReleaseSettings, mean_bytes: float) -> int:
    """Rows of a row group of about the size that `settings` ask for, where a row has so many bytes of text."""
    return max(1, int(settings.row_group_bytes / max(mean_bytes, 1.0)))


def _sizes(texts: pa.Table) -> NDArray[np.int64]:
    """Bytes of each text with its title."""
    sizes = np.zeros(len(texts), np.int64)
    for name in {"title", "text"} & set(texts.column_names):
        sizes += pc.fill_null(pc.binary_length(texts[name]), 0).to_numpy()
    return sizes


def _with_start(parts: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Each part with the number of the rows before it."""
    start = 0
    for part in parts:
        yield start, part
        start += len(part)
