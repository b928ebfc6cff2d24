"""Sentences that several packs have, so that each of them is translated once.

Makes a unit `repeated/LANG` for the packs that are translated together: the sentences that stand in more than one of them,
in order of first appearance. They are translated before the packs, which then take their translations from there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import FileRef, Store, fingerprint
from parallel_qa.pipeline.tables import in_shards
from parallel_qa.pipeline.translation.packs import Pack, checksum_of
from parallel_qa.pipeline.translation.segment import SENTENCES
from parallel_qa.pipeline.translation.text_index import Keys, Places, TextIndex, text_keys
from parallel_qa.pipeline.work import Unit

VERSION = 1
_ROW_BITS = 40
"""A place is the number of a file, a row of it, and a bit that says whether the sentence is checked there."""


def units(settings: Settings, packs: Sequence[Pack]) -> list[Unit]:
    """The unit for packs that are translated together; none for a single one, which has no sentence twice."""
    if len(packs) < 2:
        return []
    files = {f"{pack.source}-{pack.number}:{name}": file for pack in packs for name, file in pack.files.items()}
    content = [[file.sha256 for file in pack.files.values()] for pack in packs]
    size = settings.translation.shard_sentences
    language = packs[0].language
    name = fingerprint(stage="repeated", version=VERSION, packs=content, shard=size)
    return [Unit(f"repeated/{language}", name, language=language, files=files)]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Find the sentences that stand in several packs."""
    packs, files = _packs(unit), list(unit.files.values())
    progress.start(unit.path, 2 * len(files), "files")
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        index = TextIndex(Path(scratch))
        first = 0
        for pack in packs:
            entries = [_entries(store, file, number) for number, file in enumerate(pack, first)]
            index.add(*_without_repeats(*(np.concatenate(column) for column in zip(*entries, strict=True))))
            progress.advance(unit.path, len(pack))
            first += len(pack)
        places = _first_places(index)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        tables = _read(store, files, places, lambda: progress.advance(unit.path, 1))
        for number, table in enumerate(in_shards(tables, settings.translation.shard_sentences, schema.SENTENCES)):
            writer.write_table(f"{SENTENCES}/{number:05d}.parquet", table)
        writer.facts["packs"] = sorted(map(checksum_of, packs))
    progress.finish(unit.path)


def _packs(unit: Unit) -> list[list[FileRef]]:
    """The files of each pack, in the order of `unit.files`."""
    by_pack = groupby(unit.files.items(), key=lambda named: named[0].partition(":")[0])
    return [[file for _, file in named] for _, named in by_pack]


def _entries(store: Store, file: FileRef, number: int) -> tuple[Keys, Places]:
    """The sentences of a file, and where each stands."""
    sentences = store.read_file(file)
    checked = sentences["checked"].to_numpy(zero_copy_only=False)
    return text_keys(sentences["text"].to_pylist()), (number << _ROW_BITS) + 2 * np.arange(len(sentences)) + checked


def _without_repeats(keys: Keys, places: Places) -> tuple[Keys, Places]:
    """Each text of a pack once, at its first place; with the bit set of one that is checked anywhere in the pack."""
    order = np.lexsort((places, keys))
    keys, places = keys[order], places[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    return keys[starts], _with_bits(places, starts)


def _with_bits(places: Places, starts: Places) -> Places:
    """The first place of each group of places, with the lowest bit set where any of the group has it."""
    return (places[starts] & ~1) | np.bitwise_or.reduceat(places & 1, starts) if len(starts) else places[:0]


def _first_places(index: TextIndex) -> Places:
    """Where each repeated sentence stands first, in order; with the bit set of one that is checked anywhere."""
    found = [np.zeros(0, np.int64)]
    for places, starts in index.repeated():
        found.append(_with_bits(places, starts))
    return np.sort(np.concatenate(found))


def _read(store: Store, files: Sequence[FileRef], places: Places, advance: Callable[[], None]) -> Iterator[pa.Table]:
    """The sentences at `places`, file by file."""
    numbers = places >> _ROW_BITS
    for number, file in enumerate(files):
        low, high = np.searchsorted(numbers, (number, number + 1))
        if high > low:
            here = places[low:high] & ((1 << _ROW_BITS) - 1)
            texts = store.read_file(file)["text"].take(pa.array(here >> 1))
            yield pa.table({"text": texts, "checked": pa.array((here & 1).astype(bool))}, schema=schema.SENTENCES)
        advance()
