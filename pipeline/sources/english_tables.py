"""One source, from the rows of its card to unique, clean, linked English texts.

Rows pass in batches; what has to be known of all of them is on disk. Then the tables `queries`, `passages`, `answers` and `pairs`
are written; rows that hold no usable pair make the table `rejected`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import CleaningSettings
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.duplicates import Duplicates
from parallel_qa.pipeline.sources.evaluation import Evaluation
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside
from parallel_qa.pipeline.sources.screening import TEXT_COLUMNS, Screening
from parallel_qa.pipeline.sources.staging import Staged, in_batches
from parallel_qa.pipeline.sources.words import words
from parallel_qa.pipeline.store import UnitWriter
from parallel_qa.pipeline.tables import give_back_memory, in_shards
from parallel_qa.pipeline.text_ids import text_id

_BATCH = 10_000
_SHOWN = 2_000
"""Characters that are kept of a text that is set aside; its position leads to the original."""
_NUMBER = pa.field("mention", pa.int64())
_TEXT_ROWS = pa.schema([_NUMBER, *TEXT_COLUMNS])
_LINK_ROWS = pa.schema([_NUMBER, *((name, pa.string()) for name in ("position", "source_id", "answer"))])


class EnglishTables:
    """The tables of one source: read its rows first, all of them, and then write what became of them."""

    def __init__(self, card: Card, cleaning: CleaningSettings, evaluation: Evaluation, scratch: Path) -> None:
        """`evaluation` holds the texts that are to be kept out; `scratch` is an empty folder for about as much as the source has."""
        self._card = card
        self._cleaning = cleaning
        self._evaluation = evaluation
        self._screening = Screening(cleaning, evaluation, card.html)
        self._queries = Staged(scratch / "queries.parquet", _TEXT_ROWS)
        self._passages = Staged(scratch / "passages.parquet", _TEXT_ROWS)
        self._links = Staged(scratch / "links.parquet", _LINK_ROWS)
        self._duplicates = Duplicates(scratch, f"{card.path}: finding duplicates")
        self._rows_read = self._rows_kept = self._negatives_dropped = 0
        self._rejected: Counter[str] = Counter()

    def read(self, progress: Progress, name: str) -> Iterator[pa.Table]:
        """Read all rows of the card; yields those that are set aside, as rows of `rejected`. `name` is what progress calls the source."""
        for batch in in_batches(read_rows(self._card), _BATCH):
            self._rows_read += len(batch)
            unreadable = [row for row in batch if isinstance(row, SetAside)]
            unfit = self._stage_fit_rows([row for row in batch if isinstance(row, Pair)])
            yield self._rejected_rows(itertools.chain(unreadable, unfit))
            progress.advance(name, len(batch))
        for staged in (self._queries, self._passages, self._links):
            staged.close()
        give_back_memory()  # what follows is the database's
        self._duplicates.resolve()
        for table in self._links.pick(self._duplicates.repeated()):
            self._rejected.update(table["reason"].to_pylist())
            nothing = pa.nulls(table.num_rows, pa.string())
            detail = pc.binary_join_element_wise("the same as", table["first"], " ")
            yield table.append_column("query", nothing).append_column("passage", nothing).append_column("detail", detail)

    def _stage_fit_rows(self, rows: list[Pair]) -> Iterator[SetAside]:
        """Clean a batch, write the rows that are fit to scratch files and yield the rest, with the reason."""
        if not rows:
            return
        negatives = [_negatives_of(row, self._cleaning.max_negatives) for row in rows]
        queries = self._screening.screen([("", row.query, row.query_key) for row in rows], "query")
        positives = [(row.title, row.passage, row.passage_key) for row in rows]
        passages = self._screening.screen([*positives, *itertools.chain.from_iterable(negatives)], "passage")
        reasons = [query or passage for query, passage in zip(queries.reasons, passages.reasons[: len(rows)], strict=True)]
        answers = self._screening.clean([row.answer for row in rows])[0].to_pylist()
        fit: list[int] = []
        order: list[int] = []  # of passages: each row's positive, then its negatives
        counts: list[int] = []
        place = len(rows)
        for number, row in enumerate(rows):
            following = range(place, place + len(negatives[number]))
            place += len(negatives[number])
            reason = reasons[number]
            if reason:
                detail = queries.details.get(number) if queries.reasons[number] else passages.details.get(number)
                yield SetAside(row.position, row.source_id, reason, row.query, row.passage, detail)
                continue
            sound = [negative for negative in following if passages.reasons[negative] is None]
            self._negatives_dropped += len(following) - len(sound)
            fit.append(number)
            order += [number, *sound]
            counts.append(len(sound))
        if fit:
            self._stage(
                [rows[number] for number in fit], [answers[number] for number in fit], queries.take(fit), passages.take(order), counts
            )

    def _stage(
        self, rows: list[Pair], answers: list[str], queries: dict[str, pa.Array], passages: dict[str, pa.Array], negatives: list[int]
    ) -> None:
        """Write fit rows to scratch files. `passages` has each row's positive, followed by as many negatives as `negatives` says."""
        firsts = list(itertools.accumulate((count + 1 for count in negatives[:-1]), initial=self._passages.rows))
        numbers = range(self._links.rows, self._links.rows + len(rows))
        positions, ids = [row.position for row in rows], [row.source_id for row in rows]
        table = {"row": numbers, "position": positions, "passage": firsts, "negatives": negatives, "answer": answers}
        self._duplicates.add_rows(pa.table(table))
        for name, staged, texts in (("queries", self._queries, queries), ("passages", self._passages, passages)):
            whole = pc.binary_join_element_wise(texts["title_form"], texts["form"], "\x1f")
            self._duplicates.add(name, staged.rows, whole, words(texts["form"]))
            staged.add(texts)
        self._links.add({"position": pa.array(positions), "source_id": pa.array(ids), "answer": pa.array(answers, pa.string())})

    def _rejected_rows(self, rows: Iterable[SetAside]) -> pa.Table:
        """The rows of `rejected` for rows that were set aside, which are counted."""
        listed = []
        for row in rows:
            self._rejected[row.reason] += 1
            texts = {name: _readable(getattr(row, name)) for name in ("position", "source_id", "query", "passage", "detail")}
            listed.append({"reason": row.reason, **texts})
        return pa.Table.from_pylist(listed, schema=schema.REJECTED)

    def write(self, writer: UnitWriter) -> None:
        """Write the finished tables, and what is known of them. Everything must have been read before."""
        rows = self._cleaning.shard_rows
        parallel = self._card.translations is not None
        for name, staged, target in (("queries", self._queries, schema.QUERIES), ("passages", self._passages, schema.PASSAGES)):
            picked = staged.pick(self._duplicates.roots(name))
            complete = pa.schema([*target, *schema.KEYS]) if parallel else target
            for shard, table in enumerate(in_shards(map(_with_ids, picked), rows, complete)):
                writer.write_table(f"{name}/{shard:05d}.parquet", table.select(target.names))
                if parallel:
                    writer.write_table(f"{name}_keys/{shard:05d}.parquet", table.select(schema.KEYS.names))
        answers = (pa.Table.from_batches([batch]) for batch in self._duplicates.answers())
        for shard, table in enumerate(in_shards(answers, rows, schema.ANSWERS)):
            writer.write_table(f"answers/{shard:05d}.parquet", table)
        links = self._links.pick(self._duplicates.pairs())
        pairs = (table.append_column("source", pa.array([self._card.name] * table.num_rows, pa.string())) for table in links)
        for shard, table in enumerate(in_shards(pairs, rows, schema.PAIRS)):
            self._rows_kept += table.num_rows
            writer.write_table(f"pairs/{shard:05d}.parquet", table)
        fell = {reason: count for reason, count in self._rejected.items() if reason.startswith("evaluation_")}
        writer.facts["rows"] = {"read": self._rows_read, "kept": self._rows_kept, "rejected": dict(sorted(self._rejected.items()))}
        writer.facts["cleaned"] = dict(sorted((step, count) for step, count in self._screening.changed.items() if count))
        writer.facts["merged"] = self._duplicates.merged()
        writer.facts["negatives_dropped"] = self._negatives_dropped
        writer.facts["evaluation"] = self._evaluation.facts() | {"rows_set_aside": dict(sorted(fell.items()))}
        self._duplicates.close()


def _negatives_of(row: Pair, most: int) -> list[Passage]:
    """At most so many of a row's negatives, always the same ones, whatever the order they come in."""
    others = [negative for negative in row.negatives if negative.text != row.passage]
    if len(others) <= most:
        return others
    return sorted(others, key=lambda negative: xxhash.xxh3_64_intdigest(f"{row.query}\x1f{negative.text}".encode(errors="replace")))[:most]


def _readable(text: str | None) -> str | None:
    return None if text is None else text[:_SHOWN].encode(errors="backslashreplace").decode()


def _with_ids(table: pa.Table) -> pa.Table:
    ids = [text_id(title, text) for title, text in zip(table["title"].to_pylist(), table["text"].to_pylist(), strict=True)]
    return table.append_column("id", pa.array(ids))
