"""A release opened for reading: checked, in memory, addressed by row number and language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.batches.sampling import Batch, Sampler
from pipeline.errors import UserError
from pipeline.languages import LANGUAGES
from pipeline.store import Store, checked_table

_MANIFEST = "manifest.json"


class OpenRelease:
    """The tables of a release."""

    def __init__(self, store: Store, manifest: dict[str, Any]) -> None:
        self._store = store
        self.manifest = manifest
        self.languages: list[str] = manifest["languages"]
        self._texts: dict[tuple[str, str], pa.Table] = {}
        self.pairs = self._table("pairs")

    def _table(self, name: str) -> pa.Table:
        files = self.manifest["files"]
        shards = sorted(file for file in files if file.startswith(f"{name}/"))
        return pa.concat_tables([checked_table(self._store, shard, files[shard]["sha256"]) for shard in shards])

    def texts(self, table: str, language: str) -> pa.Table:
        """The whole table "queries" or "passages" in one language (NLLB code), checked when first read."""
        key = (table, language)
        if key not in self._texts:
            self._texts[key] = self._table(f"{table}/{language}")
        return self._texts[key]

    def pair_columns(self) -> dict[str, NDArray[np.int64]]:
        """`query_row`, `passage_row`, `query_langs` and `passage_langs` of all pairs."""
        names = ("query_row", "passage_row", "query_langs", "passage_langs")
        return {name: self.pairs[name].to_numpy() for name in names}

    def batches(
        self,
        alpha: float = 0.5,
        languages: Sequence[str] | None = None,
        batch_size: int = 100,
        seed: int = 0,
        steps: int | None = None,
        start: int = 0,
        query_prefix: str = "Query: ",
        passage_prefix: str = "Passage: ",
    ) -> Iterator[Batch]:
        """Batches `start`, `start` + 1, … of the endless sequence that the other arguments determine.

        A batch is monolingual with probability `alpha`, else cross-lingual. Its pairs come from one
        source, drawn by size; no two share a query or a passage in any language. `languages` (codes or
        tags) are all of the release where None is given. With `steps`, ends after so many batches.
        Raises UserError, before the first batch, where that cannot be done.
        """
        sampler = Sampler(self, alpha, self._codes(languages), batch_size, seed, query_prefix, passage_prefix)
        return sampler.batches(start, steps)

    def _codes(self, languages: Sequence[str] | None) -> list[str]:
        if languages is None:
            return self.languages
        codes = [LANGUAGES.find(language).code for language in languages]
        for code in codes:
            if code not in self.languages:
                raise UserError(f"languages: {code} is not in this release, which has {', '.join(self.languages)}")
            if codes.count(code) > 1:
                raise UserError(f"languages: {code} is given twice")
        return codes


def release_store(path: str) -> Store:
    """The folder of a release: `path` itself, or in a store the latest release. Raises UserError where there is none."""
    store = Store(path, writable=False)
    if not store.exists(_MANIFEST) and store.exists("releases/latest.json"):
        version = json.loads(store.read("releases/latest.json"))["version"]
        store = Store(f"{path.rstrip('/')}/releases/{version}", writable=False)
    if not store.exists(_MANIFEST):
        raise UserError(f"{path}: no release here: it has no {_MANIFEST}")
    return store


def open_release(path: str) -> OpenRelease:
    """Open a release: its folder, or a store, whose latest release is meant.

    Every file is checked against the manifest when it is read. Raises UserError where `path` holds no
    release or a file is missing or damaged.
    """
    store = release_store(path)
    return OpenRelease(store, json.loads(store.read(_MANIFEST)))
