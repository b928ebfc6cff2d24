"""A release opened for training: checked once, mapped into memory, addressed by row and language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.batches.pairs import Pairs, mapped_pairs
from pipeline.batches.sampling import Draw, Sampler
from pipeline.batches.settings import BatchSettings, batch_settings
from pipeline.batches.texts import MappedTexts
from pipeline.errors import UserError
from pipeline.release.manifest import MANIFEST, read_manifest
from pipeline.release.reading import Reader
from pipeline.settings import Environment
from pipeline.store import Store, fingerprint


@dataclass(frozen=True)
class Batch:
    """Queries and their positive passages, example by example; every list has `batch_size` items."""

    kind: str  # "monolingual" or "cross-lingual"
    source: str
    queries: list[str]
    passages: list[str]
    query_languages: list[str]  # NLLB codes
    passage_languages: list[str]
    pair_rows: list[int]  # rows of the release's table `pairs`
    query_rows: list[int]
    passage_rows: list[int]
    negatives: list[list[str]] = field(default_factory=list)  # of each example; empty where none were asked for
    negative_rows: list[list[int]] = field(default_factory=list)

    def part(self, rank: int, ranks: int) -> Batch:
        """The examples of one of several workers that share the batch: all of them together have it whole."""
        cut = slice(len(self.queries) * rank // ranks, len(self.queries) * (rank + 1) // ranks)
        return Batch(self.kind, self.source, *(getattr(self, name)[cut] for name in list(self.__dataclass_fields__)[2:]))


class OpenRelease:
    """A release that batches are drawn from. Texts are read from a cache on this machine, which is made once."""

    def __init__(self, store: Store) -> None:
        """`store` is the folder of the release. Raises UserError where it is none, or a file is damaged."""
        manifest = read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
        cache = Environment().cache.expanduser() / "releases" / f"{manifest['version']}-{manifest['seal']}"
        cache.mkdir(parents=True, exist_ok=True)
        self._store = store
        self._reader = Reader(store, cache)
        self.manifest: dict[str, Any] = manifest
        self.languages: list[str] = manifest["languages"]
        self.sources: list[str] = list(manifest["sources"])
        self.texts = MappedTexts(self._reader, cache)
        self.columns: Pairs = mapped_pairs(self._reader, self.sources, cache)

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker processes, which map the files again."""
        return OpenRelease, (self._store,)

    def loader(self, settings: BatchSettings | None = None, **given: Any) -> Loader:
        """Batches of this release by `settings`, or by the settings given as keywords.

        Raises UserError, before the first batch, where they cannot be drawn.
        """
        return Loader(self, settings or batch_settings(**given))

    def batches(self, *, steps: int | None = None, start: int = 0, **given: Any) -> Iterator[Batch]:
        """Batches `start`, `start` + 1, … of the endless sequence, epoch after epoch, that the settings determine.

        With `steps`, ends after so many batches. Raises UserError as `loader` does.
        """
        loader = self.loader(**given)
        return loader.sequence(start, steps)


class Loader:
    """Batches, epoch after epoch; each is a function of (release, settings, epoch, step), so that its state is two numbers."""

    def __init__(self, release: OpenRelease, settings: BatchSettings) -> None:
        self.release = release
        self.settings = settings
        self.sampler = Sampler(release.columns, release.sources, release.languages, settings)
        release.texts.add(self.sampler.languages)  # what is damaged shows now, not after an hour
        self._places = release.texts.places
        self._codes = np.array(release.languages, dtype=object)
        self._epoch = 0
        self._step = 0

    def __len__(self) -> int:
        """Batches of an epoch: as many as it takes for as many examples as there are pairs."""
        return max(1, len(self.release.columns.query) // self.settings.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """The batches that are left of this epoch; then the next one begins."""
        while self._step < len(self):
            batch = self.batch(self._epoch, self._step)
            self._step += 1
            yield batch
        self.set_epoch(self._epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""
        self._epoch, self._step = epoch, 0

    def batch(self, epoch: int, step: int) -> Batch:
        """The batch at `step` of `epoch`."""
        return self._read(self.draw(epoch, step))

    def draw(self, epoch: int, step: int) -> Draw:
        """The batch at `step` of `epoch` in numbers, without its texts."""
        return self.sampler.draw(epoch, step, epoch * len(self))

    def sequence(self, start: int, steps: int | None) -> Iterator[Batch]:
        """Batches from number `start` on, counted over all epochs."""
        number = start
        while steps is None or number < start + steps:
            yield self.batch(*divmod(number, len(self)))
            number += 1

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch is."""
        return {"release": self._identity(), "settings": self._wanted(), "epoch": self._epoch, "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises UserError where that was of another release or with other settings."""
        for name, own in (("release", self._identity()), ("settings", self._wanted())):
            if state.get(name) != own:
                raise UserError(f"this state was taken with other {name} ({state.get(name)}, here {own}): it cannot go on here")
        self._epoch, self._step = int(state["epoch"]), int(state["step"])

    def _identity(self) -> str:
        return f"{self.release.manifest['version']}-{self.release.manifest['seal']}"

    def _wanted(self) -> str:
        return fingerprint(**self.settings.model_dump(mode="json"))

    def _read(self, draw: Draw) -> Batch:
        settings, size = self.settings, len(draw.pairs)
        links = self.release.columns.links.take(draw.pairs, axis=0)
        queries, passages = links[:, 0], links[:, 1]
        both = self._places("queries", queries, draw.query_language), self._places("passages", passages, draw.passage_language)
        texts = self.release.texts.take(np.concatenate(both), [settings.query_prefix] * size + [settings.passage_prefix] * size)
        negatives = self._negatives(draw) if settings.negatives else []
        return Batch(
            draw.kind,
            self.release.sources[draw.source],
            texts[:size],
            texts[size:],
            self._codes.take(draw.query_language).tolist(),
            self._codes.take(draw.passage_language).tolist(),
            draw.pairs.tolist(),
            queries.tolist(),
            passages.tolist(),
            [[f"{settings.passage_prefix}{text}" for _, text in of_example] for of_example in negatives],
            [[row for row, _ in of_example] for of_example in negatives],
        )

    def _negatives(self, draw: Draw) -> list[list[tuple[int, str]]]:
        """Row and text of the hard negatives of each example that survived in their languages."""
        rows, languages = (np.array([one[part] for of_example in draw.negatives for one in of_example], np.int64) for part in (0, 1))
        texts = iter(self.release.texts.take(self._places("passages", rows, languages), [""] * len(rows)))
        found = [[(row, next(texts)) for row, _ in of_example] for of_example in draw.negatives]
        return [[(row, text) for row, text in of_example if text][: self.settings.negatives] for of_example in found]


def release_store(path: str) -> Store:
    """The folder of a release: `path` itself, or in a store the latest release. Raises UserError where there is none."""
    store = Store(path, writable=False)
    if not store.exists(MANIFEST) and store.exists("releases/latest.json"):
        version = json.loads(store.read("releases/latest.json"))["version"]
        store = Store(f"{path.rstrip('/')}/releases/{version}", writable=False)
    if not store.exists(MANIFEST):
        raise UserError(f"{path}: no release here: it has no {MANIFEST}")
    return store


def open_release(path: str | Path) -> OpenRelease:
    """Open a release: its folder, or a store, whose latest release is meant.

    Every file is checked against the manifest when it is read for the first time on this machine. Raises UserError where `path`
    holds no release or a file is missing or damaged.
    """
    return OpenRelease(release_store(str(path)))
