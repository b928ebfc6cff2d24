"""The stage of hard negatives: for each English question the passages that BM25 ranks high and that do not answer it.

One unit a shard of questions, `mined/SOURCE/SHARD`: row by row the ids of passages of all sources, the hardest first. A text's id is the
same in every source and language, so that the negatives are those of every language, and of a release of whichever order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rapidfuzz import fuzz, utils

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.release.layout.order import Hashes, Integers, text_hashes, text_ids
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Record, Store, fingerprint
from parallel_qa.pipeline.work import Unit, versions

if TYPE_CHECKING:
    from parallel_qa.pipeline.release.making.passage_index import PassageIndex

VERSION = 1
DATA = "negatives.parquet"
MINED = pa.schema([("negatives", pa.list_(pa.string()))])
"""Row by row of a shard of questions: ids of passages, the hardest first."""

_QUESTIONS_AT_ONCE = 1_000
_MORE = 10
"""Candidates beyond those that are to be kept, for positives and their near-duplicates among them."""
_NEAR = 90.0
"""A passage so much like a positive (rapidfuzz's token set ratio, 0 to 100) is one, too."""


def units(english: Sequence[Unit], record_of: Callable[[Unit], Record], count: int) -> list[Unit]:
    """A unit for each shard of the questions of `english`, the finished units of all sources; none where `count` is 0.

    `count` negatives are to be found for each question. Raises UserError where bm25s is not installed.
    """
    if not count:
        return []
    try:
        tools = versions("bm25s", "rapidfuzz")
    except PackageNotFoundError as error:
        raise UserError(f"release.mined_negatives: {error.name} is not installed: pip install 'parallel-qa[mine]'") from None
    records = {unit.source: record_of(unit) for unit in english}
    # Whether a passage answers a question is known by the pairs and questions of all sources.
    everything = fingerprint(
        **{table: {name: _checksums(record, table) for name, record in records.items()} for table in (*schema.TEXTS, "pairs")}
    )
    return [
        Unit(
            path=f"mined/{name}/{shard:05d}",
            fingerprint=fingerprint(
                stage="mine",
                version=VERSION,
                tools=tools,
                count=count,
                candidates=_MORE,
                near=_NEAR,
                questions=checksum,
                english=everything,
            ),
            source=name,
            table="queries",
            shard=shard,
            inputs={f"english/{unit.source}": unit for unit in english},
        )
        for name, record in records.items()
        for shard, checksum in enumerate(_checksums(record, "queries"))
    ]


def _checksums(record: Record, table: str) -> list[str]:
    return [record.files[name].sha256 for name in record.shards(table)]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Find the negatives of one shard of questions, on all cores."""
    records = {english.source: english.result(store) for english in unit.inputs.values()}
    questions = store.read_table(records[unit.source], records[unit.source].shards(unit.table)[unit.shard])
    progress.start(unit.path, len(questions), "questions")
    key = fingerprint(store=store.url, english={name: [record.path, record.fingerprint] for name, record in records.items()})
    corpus = _corpora.get(key, lambda: _Corpus.read(store, records))
    negatives: list[pa.StringArray] = []
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        part = questions.slice(start, _QUESTIONS_AT_ONCE)
        chosen = corpus.negatives(part, settings.release.mined_negatives)
        negatives += [text_ids(corpus.passages.hashes[passages]) for passages in chosen]
        progress.advance(unit.path, len(part))
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, pa.table({"negatives": pa.array([ids.to_pylist() for ids in negatives], MINED.field(0).type)}, MINED))
    progress.finish(unit.path)


@dataclass(frozen=True)
class _Corpus:
    """All passages of a run, and which of them answer which question."""

    passages: PassageIndex
    questions: Hashes
    """Of each pair the id of its question; sorted."""
    positives: Integers
    """Of each pair its passage."""

    @classmethod
    def read(cls, store: Store, records: Mapping[str, Record]) -> _Corpus:
        """That of the English sources with these records."""
        from parallel_qa.pipeline.release.making.passage_index import PassageIndex

        def tables(record: Record, table: str) -> Iterator[pa.Table]:
            return (store.read_table(record, name) for name in record.shards(table))

        passages = PassageIndex(shard for record in records.values() for shard in tables(record, "passages"))
        questions, positives = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for record in records.values():
            of_questions = _hashes(tables(record, "queries"))
            of_passages = passages.numbers(_hashes(tables(record, "passages")))
            for pairs in tables(record, "pairs"):
                questions.append(of_questions[pairs["query_row"].to_numpy()])
                positives.append(of_passages[pairs["passage_row"].to_numpy()])
        ids = np.concatenate(questions)
        order = np.argsort(ids, kind="stable")
        return cls(passages, ids[order], np.concatenate(positives)[order])

    def negatives(self, questions: pa.Table, count: int) -> Iterator[list[int]]:
        """For each of the questions up to `count` passages."""
        ids = text_hashes(questions["id"])
        starts, ends = (np.searchsorted(self.questions, ids, side).tolist() for side in ("left", "right"))
        ranked = self.passages.search(questions["text"].to_pylist(), count + _MORE)
        for passages, start, end in zip(ranked, starts, ends, strict=True):
            yield self._unlike(passages, self.positives[start:end].tolist(), count)

    def _unlike(self, ranked: list[int], positives: list[int], count: int) -> list[int]:
        """The first `count` of the ranked passages that are no positive and not nearly one."""
        texts = [utils.default_process(self.passages.text(passage)) for passage in dict.fromkeys(positives)]
        chosen: list[int] = []
        for passage in ranked:
            if len(chosen) == count:
                break
            if passage in positives:
                continue
            candidate = utils.default_process(self.passages.text(passage))
            if all(fuzz.token_set_ratio(candidate, text) < _NEAR for text in texts):
                chosen.append(passage)
        return chosen


_corpora: MadeOnce[str, _Corpus] = MadeOnce(most=1)


def _hashes(texts: Iterable[pa.Table]) -> Hashes:
    """The ids of all texts as numbers."""
    return np.concatenate([np.zeros(0, np.uint64), *(text_hashes(table["id"]) for table in texts)])
