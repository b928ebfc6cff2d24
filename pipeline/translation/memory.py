"""What the store holds translations of already: sentences that several shards have, and those of earlier runs.

A unit of translations says in its record what it was made from and with what, so its sentences can be read again beside it.
They are found through an index on disk, and read from files on this machine, so that few of them are in memory.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.store import FileRef, Record, Store
from parallel_qa.pipeline.translation.engine import Translation
from parallel_qa.pipeline.translation.packs import checksum_of
from parallel_qa.pipeline.translation.text_index import TextIndex, text_keys
from parallel_qa.pipeline.work import Unit

NOT_CHECKED = Translation("", "not_checked")
"""Stands for the way back of a sentence that no text in the sample of `back_share` has."""

Translate = Callable[[list[str]], list[Translation]]
_ROW_BITS = 32
"""A place is the number of a unit and a row of it."""


def facts_of(made_with: str, planned_for: Iterable[FileRef], made_from: Mapping[str, FileRef]) -> dict[str, Any]:
    """What a unit's record has to say for its translations to be found again.

    `made_with` stands for model, decoding and direction; `planned_for` are the files with the sentences of its pack; row *i* of the
    unit's file `name` is the translation of row *i* of `made_from[name]`.
    """
    files = {name: {"path": file.path, "sha256": file.sha256} for name, file in made_from.items()}
    return {"made_with": made_with, "pack": checksum_of(planned_for), "made_from": files}


class Memory:
    """The translations of one direction that some units hold."""

    def __init__(self, store: Store, records: Sequence[Record]) -> None:
        """`records` are those of the units: what each was made from is read now, its translations when one of them is asked for."""
        self._store = store
        self._scratch = tempfile.TemporaryDirectory(prefix="parallel-qa-")
        self._folder = Path(self._scratch.name)
        self._made_from = [files for record in records for files in _files_of(store, record)]
        self._tables: dict[int, pa.Table] = {}
        self._lock = threading.Lock()
        index = self._folder / "index"
        index.mkdir()
        self._index = TextIndex(index)
        for number, (made_from, translations) in enumerate(self._made_from):
            texts = store.read_file(made_from)["text"].to_pylist()
            places = (number << _ROW_BITS) + np.arange(len(texts))
            translated = _translated(store, translations)
            self._index.add(text_keys(text or "" for text in texts)[translated], places[translated])

    def find(self, texts: Sequence[str]) -> dict[str, Translation]:
        """The translations of those of `texts` that are known."""
        if not self._made_from:
            return {}
        with self._lock:
            return self._find(texts)

    def _find(self, texts: Sequence[str]) -> dict[str, Translation]:
        places = self._index.first_places(text_keys(texts))
        chosen = np.flatnonzero(places >= 0)
        units = places[chosen] >> _ROW_BITS
        known: dict[str, Translation] = {}
        for unit in np.unique(units).tolist():
            asked = chosen[units == unit]
            rows = places[asked] & ((1 << _ROW_BITS) - 1)
            for place, row in zip(asked.tolist(), self._table(unit).take(pa.array(rows)).to_pylist(), strict=True):
                if row["source"] == texts[place]:
                    known[texts[place]] = Translation(row["text"], row["fault"], row["score"])
        return known

    def _table(self, number: int) -> pa.Table:
        """A file's translations beside what they were made from, mapped from a file on this machine."""
        if number not in self._tables:
            made_from, translations = (self._store.read_file(file) for file in self._made_from[number])
            columns = {"fault": translations[_faults_of(translations.schema)], **{name: translations[name] for name in ("text", "score")}}
            table = pa.table({"source": made_from["text"], **columns})
            file = str(self._folder / f"{number}.arrow")
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            self._tables[number] = pa.ipc.open_file(pa.memory_map(file)).read_all()
        return self._tables[number]


def _translated(store: Store, translations: FileRef) -> NDArray[np.bool_]:
    """Row by row, whether a file has a translation: of the way back not every sentence does."""
    file = store.dataset([translations.path])
    faults = file.to_table(columns=[_faults_of(file.schema)]).column(0)
    return np.asarray(pc.fill_null(pc.not_equal(faults, NOT_CHECKED.fault), True))


def _faults_of(columns: pa.Schema) -> str:
    """What a file calls the column of faults."""
    return "fault" if "fault" in columns.names else "mark"  # as stores of older versions do


def _files_of(store: Store, record: Record) -> list[tuple[FileRef, FileRef]]:
    """The files that a unit of translations was made from, each with that of its translations; without those that are gone."""
    if "source" in record.facts:  # of stores of older versions
        path, fingerprint, name = record.facts["source"]
        made_from = store.record(path, fingerprint)
        return [(made_from.ref(name), record.ref("sentences/00000.parquet"))] if made_from else []
    files = {name: FileRef(file["path"], file["sha256"]) for name, file in record.facts["made_from"].items()}
    return [(file, record.ref(name)) for name, file in files.items() if store.exists(file.path)]


def reuse_or_translate(memory: Memory, texts: Sequence[str], translate: Translate) -> list[Translation]:
    """The translation of each text: from `memory` where a model gave it, else by `translate`, each text once.

    Which texts need no model is not for earlier runs to say.
    """
    known = memory.find(list(dict.fromkeys(texts)))
    known = {text: found for text, found in known.items() if found.score is not None or found.text != text}
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known |= dict(zip(new, translate(new), strict=True))
    return [known[text] for text in texts]


_memories: MadeOnce[tuple[str, ...], Memory] = MadeOnce(most=2)
"""The way there and the way back of one language."""


def memory_for(store: Store, unit: Unit, made_with: Sequence[str]) -> Memory:
    """What is known in the direction of `unit`, of what was made with one of `made_with`. Looked up once a process.

    For a pack that shares sentences with others (its helper `repeated`) that is what those were translated to, and what runs with
    other packs made: the other packs of this run have none of its sentences.
    """
    kind, language = unit.path.split("/")[:2]
    repeated = unit.helpers.get("repeated")
    scope = f"{repeated.path}/{repeated.fingerprint}" if repeated else next(iter(unit.files.values())).path.rpartition("/")[0]

    def look_up() -> Memory:
        packs = set(repeated.result(store).facts["packs"]) if repeated else set()
        records = [record for record in store.records(f"{kind}/{language}") if record.facts.get("made_with") in made_with]
        return Memory(store, [record for record in records if record.facts.get("pack") not in packs])

    return _memories.get((store.url, kind, language, *made_with, scope), look_up)


def memory_of_pack(store: Store, unit: Unit, made_with: Sequence[str]) -> Memory:
    """What was made of the very pack of `unit` with one of `made_with`, when other sentences were the lessons for its candidates."""
    pack = checksum_of(unit.files.values())
    records = [record for record in store.records(unit.path) if record.facts.get("made_with") in made_with]
    return Memory(store, [record for record in records if record.facts.get("pack") == pack])
