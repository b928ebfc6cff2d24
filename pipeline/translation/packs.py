"""Sentences that are translated together: about as many in each unit of work, of as many shards as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.store import FileRef, Record, fingerprint
from parallel_qa.pipeline.translation.segment import SENTENCES
from parallel_qa.pipeline.work import Unit


@dataclass(frozen=True)
class Pack:
    """Files of sentences, in order; none is in two packs."""

    source: str
    number: int
    language: str  # NLLB code
    files: Mapping[str, FileRef]
    """By what a unit of translations calls them: "queries/00000/00000"."""


def packs_of(segmented: Sequence[Unit], record_of: Callable[[Unit], Record], sentences: int) -> list[Pack]:
    """The sentences of the units `segmented` of one source, at most `sentences` of them in a pack."""
    packs: list[Pack] = []
    files: dict[str, FileRef] = {}
    for unit in segmented:
        record = record_of(unit)
        for part, name in enumerate(record.shards(SENTENCES)):
            file = record.ref(name)
            if files and sum(packed.rows for packed in files.values()) + file.rows > sentences:
                packs.append(Pack(unit.source, len(packs), unit.language, files))
                files = {}
            if file.rows:
                files[f"{shard_name(unit)}/{part:05d}"] = file
    if files:
        packs.append(Pack(segmented[0].source, len(packs), segmented[0].language, files))
    return packs


def checksum_of(files: Iterable[FileRef]) -> str:
    """One checksum for the files of a pack: the same shards in other packs have others."""
    return fingerprint(files=[file.sha256 for file in files])


def shard_name(unit: Unit) -> str:
    """What the files of a shard's sentences begin with."""
    return f"{unit.table}/{unit.shard:05d}" if unit.table else "repeated"
