"""A release read by row: texts of one language mapped into memory, pairs in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest, shards
from parallel_qa.pipeline.store import Store, checked_table

_TEXTS = pa.schema([("id", pa.string()), ("title", pa.large_string()), ("text", pa.large_string())])


class Reader:
    """A release in its folder; every file is checked when it is read."""

    def __init__(self, store: Store, scratch: Path) -> None:
        """`scratch` is a local folder for mapped texts. Raises UserError where `store` is no release."""
        self._store = store
        self._scratch = scratch
        self.manifest: dict[str, Any] = read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
        self.languages: list[str] = self.manifest["languages"]

    def language(self, name: str) -> str:
        """The NLLB code of a language of the release. Raises UserError where it has no such language."""
        code = LANGUAGES.find(name).code
        if code not in self.languages:
            raise UserError(f"{code} is not in this release, which has {', '.join(self.languages)}")
        return code

    def shards(self, folder: str) -> Iterator[pa.Table]:
        """The files of a table, in order."""
        for name in shards(self.manifest, folder):
            yield checked_table(self._store, name, self.manifest["files"][name]["sha256"])

    def texts(self, table: str, code: str) -> Texts:
        """Every row of "queries" or "passages" in one language."""
        file = self._scratch / f"{table}-{code}.arrow"
        if not file.exists():
            making = file.with_suffix(f".{os.getpid()}.part")
            with pa.ipc.new_file(str(making), _TEXTS) as writer:
                for shard in self.shards(f"{table}/{code}"):
                    title = shard["title"] if "title" in shard.column_names else pa.repeat("", len(shard))
                    columns = {"id": shard["id"], "title": title, "text": shard["text"]}
                    writer.write_table(pa.table(columns).cast(_TEXTS).combine_chunks())
            making.replace(file)  # another process may read it, or make it too
        return Texts(file)


class Texts:
    """`id`, `title` and `text` of the rows of a table, mapped from a file: memory holds what is taken of them."""

    def __init__(self, file: Path) -> None:
        mapped = pa.ipc.open_file(pa.memory_map(str(file)))
        self._batches = [mapped.get_batch(number) for number in range(mapped.num_record_batches)]
        self._ends = np.cumsum([len(batch) for batch in self._batches], dtype=np.int64)

    def take(self, rows: NDArray[np.int64]) -> pa.Table:
        """These rows, in this order. (Arrow's own `take` of a table first copies all of its pieces into one.)"""
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        ends = np.searchsorted(ascending, self._ends)
        starts, firsts = (np.concatenate([[0], of])[:-1] for of in (ends, self._ends))
        pieces = [
            batch.take(pa.array(ascending[start:end] - first))
            for batch, start, end, first in zip(self._batches, starts, ends, firsts, strict=True)
            if end > start
        ]
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return pa.Table.from_batches(pieces, _TEXTS).take(pa.array(places))

    def parts(self, rows: int) -> Iterator[pa.Table]:
        """All rows in order, at most so many at a time."""
        for batch in self._batches:
            for start in range(0, len(batch), rows):
                yield pa.Table.from_batches([batch.slice(start, rows)])


def directions_of(store: Store, given: Sequence[str], everything: bool) -> list[tuple[str, str]] | None:
    """Languages of query and passage from what a user wrote: "de-en" (of tags with a dash in them "zh-Hant>en"); None for none.

    Raises UserError where one is no pair of languages.
    """
    if everything:
        codes = read_manifest(store.read(MANIFEST), store.url)["languages"]
        return [(query, passage) for query in codes for passage in codes]
    directions = []
    for entry in given:
        query, separator, passage = entry.partition(">" if ">" in entry else "-")
        if not separator:
            raise UserError(f"direction {entry!r}: write the languages of query and passage, such as de-en or zh-Hant>en")
        directions.append((query, passage))
    return directions or None
