"""Batches, epoch after epoch, from whatever a release is read from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.defaults import settings_for
from parallel_qa.pipeline.batches.links import Integers, Pairs
from parallel_qa.pipeline.batches.sampling.sampler import Draw, Sampler
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import fingerprint


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


def release_identity(manifest: dict[str, Any]) -> str:
    """What tells a release from all others: its version, and the seal of its manifest."""
    return f"{manifest['version']}-{manifest['seal']}"


class Texts(Protocol):
    """Texts by row and language."""

    def places(self, table: str, rows: Integers, languages: Integers) -> Integers:
        """Where `take` finds the texts of rows of a table, each in a language: a number of the release's."""

    def take(self, places: Integers, prefixes: Iterable[str]) -> list[str]:
        """The prefix and the text of each place; no text where it was rejected."""


@dataclass(frozen=True)
class View:
    """What a batch is drawn from: a release, or a part of it whose rows are counted for themselves."""

    sampler: Sampler
    columns: Pairs
    texts: Texts
    release_rows: tuple[Integers, Integers, Integers] | None = None
    """Of a part, for pairs, queries and passages: which row of the release each row of the part is."""


LoaderType = TypeVar("LoaderType", bound="Loader", covariant=True)


class DrawableRelease(ABC, Generic[LoaderType]):
    """A release that batches can be drawn from, however its files are read."""

    manifest: dict[str, Any]
    languages: list[str]
    sources: list[str]

    @abstractmethod
    def _loader(self, settings: BatchSettings) -> LoaderType: ...

    def loader(self, settings: BatchSettings | None = None, **given: Any) -> LoaderType:
        """Batches of this release by `settings`; or by the settings given as keywords, and for the rest by those of its profile.

        Raises UserError, before the first batch, where they cannot be drawn.
        """
        return self._loader(settings or settings_for(self.manifest, given))

    def batches(self, *, steps: int | None = None, start: int = 0, **given: Any) -> Iterator[Batch]:
        """Batches `start`, `start` + 1, … of the endless sequence, epoch after epoch, that the settings determine.

        With `steps`, ends after so many batches. Raises UserError as `loader` does.
        """
        return self.loader(**given).sequence(start, steps)


class Loader(ABC):
    """Batches, epoch after epoch; each is a function of (release, settings, epoch, step), so that its state is two numbers."""

    def __init__(self, release: DrawableRelease[Loader], settings: BatchSettings) -> None:
        self.release = release
        self.settings = settings
        self._length: int = max(1, release.manifest["rows"]["pairs"] // settings.batch_size)
        self._codes = np.array(release.languages, dtype=object)
        self._epoch = 0
        self._step = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker processes, which begin where this one is."""
        return _loader_at, (self.release, self.settings, self._epoch, self._step)

    def __len__(self) -> int:
        """Batches of an epoch: as many as it takes for as many examples as there are pairs."""
        return self._length

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
        view = self._view(epoch, step)
        return self._batch_of(view, self._draw(view, epoch, step))

    def draw(self, epoch: int, step: int) -> Draw:
        """The batch at `step` of `epoch` in numbers, without its texts; of a stream, rows are those of its window."""
        return self._draw(self._view(epoch, step), epoch, step)

    def _draw(self, view: View, epoch: int, step: int) -> Draw:
        return view.sampler.draw(epoch, step, epoch * self._length)

    @abstractmethod
    def _view(self, epoch: int, step: int) -> View:
        """What the batch at `step` of `epoch` is drawn from."""

    def sequence(self, start: int, steps: int | None) -> Iterator[Batch]:
        """Batches from number `start` on, counted over all epochs."""
        number = start
        while steps is None or number < start + steps:
            yield self.batch(*divmod(number, len(self)))
            number += 1

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch is."""
        return {"release": self._release_identity(), "settings": self._settings_fingerprint(), "epoch": self._epoch, "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises UserError where that was of another release or with other settings."""
        for name, own in (("release", self._release_identity()), ("settings", self._settings_fingerprint())):
            if state.get(name) != own:
                raise UserError(f"this state was taken with other {name} ({state.get(name)}, here {own}): it cannot go on here")
        self._epoch, self._step = int(state["epoch"]), int(state["step"])

    def _release_identity(self) -> str:
        return release_identity(self.release.manifest)

    def _settings_fingerprint(self) -> str:
        return fingerprint(**self.settings.model_dump(mode="json"))

    def _batch_of(self, view: View, draw: Draw) -> Batch:
        settings, texts, size = self.settings, view.texts, len(draw.pairs)
        links, rows = view.columns.links.take(draw.pairs, axis=0), draw.pairs
        queries, passages = links[:, 0], links[:, 1]
        both = texts.places("queries", queries, draw.query_language), texts.places("passages", passages, draw.passage_language)
        taken = texts.take(np.concatenate(both), [settings.query_prefix] * size + [settings.passage_prefix] * size)
        negatives = self._negatives(view, draw) if settings.negatives else []
        if view.release_rows is not None:
            rows, queries, passages = (of[part] for of, part in zip(view.release_rows, (rows, queries, passages), strict=True))
        return Batch(
            draw.kind,
            self.release.sources[draw.source],
            taken[:size],
            taken[size:],
            self._codes.take(draw.query_language).tolist(),
            self._codes.take(draw.passage_language).tolist(),
            rows.tolist(),
            queries.tolist(),
            passages.tolist(),
            [[f"{settings.passage_prefix}{text}" for _, text in of_example] for of_example in negatives],
            [[row for row, _ in of_example] for of_example in negatives],
        )

    def _negatives(self, view: View, draw: Draw) -> list[list[tuple[int, str]]]:
        """Row and text of the hard negatives of each example that survived in their languages."""
        rows, languages = (np.array([drawn[part] for of_example in draw.negatives for drawn in of_example], np.int64) for part in (0, 1))
        texts = iter(view.texts.take(view.texts.places("passages", rows, languages), [""] * len(rows)))
        with_texts = [[(row, next(texts)) for row, _ in of_example] for of_example in draw.negatives]
        return [[(row, text) for row, text in of_example if text][: self.settings.negatives] for of_example in with_texts]


def _loader_at(release: DrawableRelease[Loader], settings: BatchSettings, epoch: int, step: int) -> Loader:
    loader = release.loader(settings)
    loader._epoch, loader._step = epoch, step
    return loader
