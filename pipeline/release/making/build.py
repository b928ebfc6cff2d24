"""The tables of a release, written shard by shard. Shard k of each table is block k (`order`).

Texts pass through. What stays in memory of every row is a few numbers: its place, in which languages it survived, why it was rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.release.layout.order import (
    Hashes,
    Integers,
    Leads,
    Mask,
    Order,
    block_at,
    block_of,
    number_of_blocks,
    order_by_key,
    order_in_blocks,
    pair_keys,
    shuffle_keys,
    text_hashes,
    text_ids,
)
from parallel_qa.pipeline.release.layout.survival import (
    ENGLISH_BIT,
    NOT_TRANSLATED,
    ReasonNumbers,
    language_bits,
    lost_answers,
    pair_tally,
    reason_numbers,
    text_tally,
)
from parallel_qa.pipeline.release.making.answers import AnswerScores
from parallel_qa.pipeline.release.making.negatives import MinedNegatives, Positives, fill_up, without_positives
from parallel_qa.pipeline.release.making.shard_writers import ShardWriters, WriteTable
from parallel_qa.pipeline.release.making.shuffle import Shuffle
from parallel_qa.pipeline.release.making.table_rows import (
    english_rows,
    pair_rows,
    rejected_rows,
    translated_rows,
    untranslated_rows,
)
from parallel_qa.pipeline.settings import FilterSettings, ReleaseSettings
from parallel_qa.pipeline.tables import one_array
from parallel_qa.pipeline.tally import Tally

_PAIR_BYTES = 100
"""About what a pair takes, with the names of its source and row and its answer."""
_UNTRANSLATED_ROWS = 50_000
"""Rows without a text that are made at once."""


class Source(Protocol):
    """What a release needs of a source: its tables, shard by shard, in the order of their rows."""

    @property
    def name(self) -> str: ...

    @property
    def languages(self) -> Sequence[str]:
        """Those that it is translated into (NLLB codes), of those of the release; `scored` is asked for no other."""

    def english(self, table: str) -> Iterator[pa.Table]:
        """The English texts of "queries" or "passages"."""

    def pairs(self) -> Iterator[pa.Table]:
        """The pairs, of schema `schema.PAIRS`."""

    def answers(self) -> Iterator[pa.Table]:
        """The answers that its passages hold, of schema `schema.ANSWERS`."""

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        """The scored texts in one language, of schema `schema.scored(table)`."""

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        """What is left of these answers in one language, of schema `schema.ANSWER_SCORES`."""

    def mined(self) -> Iterator[pa.Table]:
        """The hard negatives of its queries, of schema `mining.MINED`; nothing where none were mined."""


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
    not_translated: dict[str, list[str]] = field(default_factory=dict)
    """By source: languages of the release that it is not translated into."""


def build(
    sources: Sequence[Source],
    languages: Sequence[str],
    filters: FilterSettings,
    settings: ReleaseSettings,
    write: WriteTable,
    scratch: Path,
    progress: Progress,
    built: Built | None = None,
) -> Built:
    """Write all tables of a release: English, then each of `languages` (NLLB codes), what they rejected, and the pairs.

    A text that stands in several of `sources` is provided by the first of them; where that one is not translated into a language
    (`Source.languages`), neither is the text. `scratch` is a local folder for what is on its way from one order to another. `built` is
    filled as things are known and returned: how many texts sources provide and share, before anything is written.
    """
    progress.start("publish", 2 * (1 + len(languages)) + 1, "tables")
    with ShardWriters(write) as writers:
        builder = _Builder(sources, languages, filters, settings, writers, scratch, progress, built or Built())
        builder.order_texts()
        for table in schema.TEXTS:
            builder.write_texts(table)
        builder.write_pairs()
    progress.finish("publish")
    return builder.built


class _Builder:
    def __init__(
        self,
        sources: Sequence[Source],
        languages: Sequence[str],
        filters: FilterSettings,
        settings: ReleaseSettings,
        writers: ShardWriters,
        scratch: Path,
        progress: Progress,
        built: Built,
    ) -> None:
        self._sources, self._languages = sources, languages
        self._filters, self._settings = filters, settings
        self._writers, self._scratch, self._progress = writers, scratch, progress
        self.built = built
        built.not_translated = {source.name: [code for code in languages if code not in source.languages] for source in sources}
        # By table.
        self._orders: dict[str, Order] = {}
        self._group_rows: dict[str, int] = {}
        # By table and source, row by row of the source.
        self._hashes: dict[tuple[str, str], Hashes] = {}
        self._lengths: dict[tuple[str, str], policy.Lengths] = {}
        # By table, row by row of the release: in which languages it survived; by table and language: why not.
        self._bits: dict[str, Integers] = {}
        self._reasons: dict[tuple[str, str], ReasonNumbers] = {}

    def order_texts(self) -> None:
        """Find the order of the texts, and from their length in how many blocks they go."""
        size = sum(self._order_in_one_block(table) for table in schema.TEXTS)
        queries, passages = self._orders["queries"], self._orders["passages"]
        blocks = self.built.blocks = number_of_blocks(size, self._settings.shard_bytes, passages.total)
        leads = Leads(queries.keys)
        for source in self._sources:
            for pairs in source.pairs():
                of_query, of_passage = (
                    order.places[source.name][pairs[name].to_numpy()] for order, name in ((queries, "query_row"), (passages, "passage_row"))
                )
                leads.add(of_query, passages.keys[of_passage])
        self._orders["queries"] = order_in_blocks(queries, block_of(leads.keys(), blocks), blocks)
        self._orders["passages"] = order_in_blocks(passages, block_of(passages.keys, blocks), blocks)

    def _order_in_one_block(self, table: str) -> int:
        """Find the order of a table as if it were one block. Returns the bytes of its texts."""
        keys: dict[str, Hashes] = {}
        sizes: dict[str, Integers] = {}
        for source in self._sources:
            hashes, lengths, of_texts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
            for texts in source.english(table):
                hashes.append(text_hashes(texts["id"]))
                lengths.append(policy.text_lengths(texts))
                of_texts.append(_sizes(texts))
            self._hashes[table, source.name] = np.concatenate(hashes)
            self._lengths[table, source.name] = np.concatenate(lengths)
            sizes[source.name] = np.concatenate(of_texts)
            keys[source.name] = shuffle_keys(self._hashes[table, source.name], self._settings.seed)
        order = self._orders[table] = order_by_key(keys)
        self.built.rows[table] = order.total
        for name, provided in order.provided.items():
            self.built.provided.setdefault(name, {})[table] = int(provided.sum())
            self.built.shared.setdefault(name, {})[table] = int((~provided).sum())
        size = sum(int(sizes[name][provided].sum()) for name, provided in order.provided.items())
        self._group_rows[table] = _group_rows(self._settings, size / max(order.total, 1))
        return size

    def write_texts(self, table: str) -> None:
        """Write one table of texts in every language, and what was rejected of it."""
        order = self._orders[table]
        self._bits[table] = np.full(order.total, 1 << ENGLISH_BIT, dtype=np.int64)
        shuffle = self._shuffle(f"{table}-{ENGLISH.code}", schema.released_texts(table), order)
        for source in self._sources:
            for start, texts in _with_start(source.english(table)):
                provided, places = _part(order, source, start, len(texts))
                shuffle.add(english_rows(texts, table, source.name).filter(pa.array(provided)), places[provided])
        self._writers.write_table(f"{table}/{ENGLISH.code}", shuffle.stretches(), self._group_rows[table])
        self._progress.advance("publish", 1)
        for bit, code in enumerate(self._languages, ENGLISH_BIT + 1):
            self._write_language(table, code)
            self._bits[table] |= (self._reasons[table, code] == 0).astype(np.int64) << bit
            self._progress.advance("publish", 1)

    def _write_language(self, table: str, code: str) -> None:
        order = self._orders[table]
        numbers = self._reasons[table, code] = np.zeros(order.total, dtype=np.int8)
        released = self._shuffle(f"{table}-{code}", schema.released_texts(table), order)
        rejected = self._shuffle(f"{table}-{code}-rejected", schema.REJECTED_TEXTS, order)
        for source in self._sources:
            if code in source.languages:
                self._add_translated(source, table, code, released, rejected)
            else:
                self._add_untranslated(source, table, code, released)
            own = order.places[source.name][order.provided[source.name]]
            self.built.tallies[source.name, code, table] = text_tally(numbers[own])
        self._writers.write_table(f"{table}/{code}", released.stretches(), self._group_rows[table])
        count = self._writers.write_table(f"rejected/{code}/{table}", rejected.stretches(), self._group_rows[table])
        self.built.rejected[code] = self.built.rejected.get(code, 0) + count

    def _add_translated(self, source: Source, table: str, code: str, released: Shuffle, rejected: Shuffle) -> None:
        """Add the texts that a source provides, judged; and those that were rejected, with all that was measured."""
        thresholds = self._filters.of(code, table)
        for start, scored in _with_start(source.scored(code, table)):
            provided, places = _part(self._orders[table], source, start, len(scored))
            rejections = policy.rejections(scored, self._lengths[table, source.name][start : start + len(scored)], thresholds)
            reasons = policy.first_reasons(rejections)
            numbers = reason_numbers(reasons)
            self._reasons[table, code][places[provided]] = numbers[provided]
            rows = translated_rows(scored, pa.array(reasons, pa.string()), table, source.name)
            released.add(rows.filter(pa.array(provided)), places[provided])
            chosen = np.flatnonzero(provided & (numbers > 0))
            if len(chosen):
                rejected.add(rejected_rows(scored, rejections, chosen.tolist(), places, table, source.name), places[chosen])

    def _add_untranslated(self, source: Source, table: str, code: str, released: Shuffle) -> None:
        """Add the texts that a source provides in a language that it is not translated into: their ids are all there is of them."""
        provided = self._orders[table].provided[source.name]
        places, hashes = self._orders[table].places[source.name][provided], self._hashes[table, source.name][provided]
        self._reasons[table, code][places] = reason_numbers([NOT_TRANSLATED])
        for start in range(0, len(places), _UNTRANSLATED_ROWS):
            part = slice(start, start + _UNTRANSLATED_ROWS)
            released.add(untranslated_rows(text_ids(hashes[part]), table, source.name), places[part])

    def write_pairs(self) -> None:
        """Write the pairs, and count in each language those of which both sides survived."""
        order, positives = self._order_and_positives()
        thresholds = [self._filters.of(code, "passages") for code in self._languages]
        mined = self._mined() if self._settings.mined_negatives else None
        shuffle = self._shuffle("pairs", schema.RELEASED_PAIRS, order)
        for source in self._sources:
            queries_at, passages_at = (self._orders[table].places[source.name] for table in schema.TEXTS)
            answers = self._answers(source)
            for start, pairs in _with_start(source.pairs()):
                provided, places = _part(order, source, start, len(pairs))
                scores = answers.of_pairs(pairs)
                lost = lost_answers(scores, thresholds)
                rows = pair_rows(pairs, queries_at, passages_at, self._bits["queries"], self._bits["passages"], scores, language_bits(lost))
                rows = _with_negatives(rows.filter(pa.array(provided)), positives, mined, self._settings.mined_negatives)
                shuffle.add(rows, places[provided])
                self._count_pairs(source.name, rows, lost[provided])
            self.built.pairs[source.name] = int(order.provided[source.name].sum())
            self.built.shared_pairs[source.name] = int((~order.provided[source.name]).sum())
        group_rows = _group_rows(self._settings, _PAIR_BYTES)
        self.built.rows["pairs"] = self._writers.write_table("pairs", shuffle.stretches(), group_rows)
        self._progress.advance("publish", 1)

    def _order_and_positives(self) -> tuple[Order, Positives]:
        """The order of pairs, each of which is in the block of its query; and the positives of every query of the release."""
        keys, blocks = {}, {}
        queries, passages = self._orders["queries"], self._orders["passages"]
        positives = Positives(passages.total)
        for source in self._sources:
            of_pairs, in_block = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
            for pairs in source.pairs():
                query_rows, passage_rows = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
                query_hashes, passage_hashes = self._hashes["queries", source.name], self._hashes["passages", source.name]
                of_pairs.append(pair_keys(query_hashes[query_rows], passage_hashes[passage_rows], self._settings.seed))
                places = queries.places[source.name][query_rows]
                in_block.append(block_at(places, queries.ends))
                positives.add(places, passages.places[source.name][passage_rows])
            keys[source.name], blocks[source.name] = np.concatenate(of_pairs), np.concatenate(in_block)
        order = order_by_key(keys)
        of_rows = np.zeros(order.total, np.int64)
        for name, of_source in blocks.items():
            of_rows[order.places[name]] = of_source
        positives.close()
        return order_in_blocks(order, of_rows, self.built.blocks), positives

    def _answers(self, source: Source) -> AnswerScores:
        """What is left of the answers of a source, in each language of the release."""
        scores = [source.answer_scores(code) if code in source.languages else iter(()) for code in self._languages]
        return AnswerScores(source.answers(), scores)

    def _mined(self) -> MinedNegatives:
        """The mined negatives of every query of the release."""
        mined = MinedNegatives(self._orders["queries"], self._orders["passages"], self._settings.mined_negatives, self._settings.seed)
        for source in self._sources:
            mined.add(source.name, source.mined())
        return mined

    def _count_pairs(self, source: str, pairs: pa.Table, lost_answers: NDArray[np.bool_]) -> None:
        queries, passages = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
        for code, lost in zip(self._languages, lost_answers.T, strict=True):
            tally = pair_tally(self._reasons["queries", code][queries], self._reasons["passages", code][passages], lost)
            self.built.tallies[source, code, "pairs"] = self.built.tallies.get((source, code, "pairs"), Tally()) + tally

    def _shuffle(self, name: str, rows: pa.Schema, order: Order) -> Shuffle:
        """Brings rows into an order, in a scratch folder of this name."""
        return Shuffle(self._scratch / name, rows, order.ends)


def _with_negatives(pairs: pa.Table, positives: Positives, mined: MinedNegatives | None, count: int) -> pa.Table:
    """Pairs of the release, their negatives without positives of the same query, and filled up to `count` with mined ones."""
    queries = pairs["query_row"].to_numpy()
    negatives = without_positives(one_array(pairs["negative_rows"]), queries, positives)
    if mined is not None:
        negatives = pa.array(fill_up(negatives.to_pylist(), mined.of(queries, positives), count), pa.list_(pa.int64()))
    place = pairs.schema.get_field_index("negative_rows")
    return pairs.set_column(place, pairs.schema.field(place), negatives)


def _part(order: Order, source: Source, start: int, rows: int) -> tuple[Mask, Integers]:
    """Of so many rows of a source from `start` on: which it provides, and their rows of the release."""
    part = slice(start, start + rows)
    return order.provided[source.name][part], order.places[source.name][part]


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
