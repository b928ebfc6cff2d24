"""What training would see: shares that were drawn beside those to expect, repeats, and a few whole batches."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from parallel_qa.pipeline.batches.links import Integers
from parallel_qa.pipeline.batches.loader import Batch
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.batches.preview.expected import MOST, Chances, Expected
from parallel_qa.pipeline.batches.sampling.language_choice import CROSS_LINGUAL, MONOLINGUAL
from parallel_qa.pipeline.batches.sampling.sampler import Draw
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import Progress

Name = TypeVar("Name", bound=Hashable)

_BATCHES = 6
"""Whole batches to keep."""

_WINDOWS = 50
"""Points of a line over the steps."""

_SEARCH = 100_000
"""Batches to look through for the first of a kind, before it is taken for one that does not come."""

_UNIT = "batches"


@dataclass(frozen=True)
class Share:
    """How many were drawn, of how many, and the share to expect with the standard error that a drawn share has."""

    drawn: int
    of: int
    expected: float
    error: float

    @property
    def share(self) -> float:
        return self.drawn / max(self.of, 1)

    @property
    def deviation(self) -> float | None:
        """Drawn less expected in standard errors; more than about 4 is no chance. None where nothing could be drawn."""
        return (self.share - self.expected) / self.error if self.of and self.error else None


@dataclass(frozen=True)
class Repeats:
    """Of pairs or passages that could be drawn, how many were drawn 0, 1, 2, … times in an epoch; the last one or more times."""

    drawn: list[float]
    """The mean over the epochs."""
    expected: list[float]


@dataclass(frozen=True)
class Schedule:
    """Alpha over the steps, at the middle of windows of them."""

    steps: list[float]
    alphas: dict[tuple[str, ...], list[float]]
    """By the languages that have it."""
    expected: list[float]
    """The probability of a monolingual batch, over all languages."""
    drawn: list[float]


@dataclass(frozen=True)
class Preview:
    """What so many batches of a loader, the first, are made of."""

    steps: int
    kinds: dict[str, Share]
    """Of batches."""
    sources: dict[str, Share]
    """Of batches."""
    monolingual: dict[str, Share]
    """Languages of monolingual batches."""
    queries: dict[str, Share]
    """Languages of queries, of all examples."""
    passages: dict[str, Share]
    pairs: dict[tuple[str, str], Share]
    """Languages of query and passage, of examples of cross-lingual batches."""
    epochs: int
    """How many were looked at for repeats: whole ones, or part of the first."""
    epoch_steps: int
    """Batches of each of these."""
    pair_repeats: Repeats
    passage_repeats: Repeats
    schedule: Schedule | None
    """None where alpha does not change."""
    batches: list[Batch]
    """The first monolingual and the first cross-lingual one of each source, up to six."""


def preview(loader: ReleaseLoader, steps: int, progress: Progress) -> Preview:
    """Draw the first `steps` batches, counted over all epochs, and compare them with what is to be expected.

    The expected shares are those of `Expected`. Raises UserError where `steps` is not above 0.
    """
    if steps < 1:
        raise UserError("steps: at least one is needed")
    drawn, expected = _DrawnCounts(loader, steps), Expected(loader, steps)
    progress.start(_UNIT, steps, "batches")
    for number in range(steps):
        drawn.add(number, loader.draw(*divmod(number, len(loader))))
        progress.advance(_UNIT, 1)
    progress.finish(_UNIT)
    codes, sources = loader.release.languages, loader.release.sources
    monolingual, cross = drawn.kinds.tolist()
    size = loader.settings.batch_size
    between = list(itertools.product(codes, codes))
    pairs = tuple(part.ravel() for part in expected.pairs(cross))
    pair_repeats, passage_repeats = expected.repeats(drawn.epochs, drawn.epoch_steps)
    return Preview(
        steps,
        _shares((MONOLINGUAL, CROSS_LINGUAL), drawn.kinds, steps, expected.kinds()),
        _shares(sources, drawn.sources, steps, expected.sources()),
        _shares(codes, drawn.monolingual, monolingual, expected.monolingual(monolingual)),
        _shares(codes, drawn.examples.sum(axis=1), steps * size, expected.examples(0)),
        _shares(codes, drawn.examples.sum(axis=0), steps * size, expected.examples(1)),
        _shares(between, drawn.cross.ravel(), cross * size, (pairs[0], pairs[1])),
        drawn.epochs,
        drawn.epoch_steps,
        _repeats(drawn.pair_times, pair_repeats, drawn.epochs),
        _repeats(drawn.passage_times, passage_repeats, drawn.epochs),
        _schedule(expected, drawn.monolingual_steps, loader),
        [loader.batch(*divmod(number, len(loader))) for number in drawn.firsts.values()],
    )


def first_batches(loader: ReleaseLoader) -> Iterator[Batch]:
    """The first monolingual and the first cross-lingual batch, of those kinds that may come."""
    missing = loader.sampler.kinds
    for number in range(_SEARCH):
        place = divmod(number, len(loader))
        kind = loader.draw(*place).kind
        if kind in missing:
            missing.remove(kind)
            yield loader.batch(*place)
        if not missing:
            return


class _DrawnCounts:
    """Of what the batches were made that were drawn."""

    def __init__(self, loader: ReleaseLoader, steps: int) -> None:
        columns, count = loader.release.columns, len(loader.release.languages)
        self._pairs = columns
        self.epoch_steps = min(steps, len(loader))
        self.epochs = steps // self.epoch_steps
        self.counted = self.epochs * self.epoch_steps
        self.kinds = np.zeros(2, np.int64)
        self.sources = np.zeros(len(loader.release.sources), np.int64)
        self.monolingual = np.zeros(count, np.int64)
        self.examples = np.zeros((count, count), np.int64)
        self.cross = np.zeros((count, count), np.int64)
        self.monolingual_steps = np.zeros(steps)
        self.firsts: dict[tuple[str, int], int] = {}
        """Numbers of batches, by kind and source."""
        self.pair_times = _RepeatCounts(len(columns.passage))
        self.passage_times = _RepeatCounts(int(columns.passage.max(initial=-1)) + 1)

    def add(self, number: int, draw: Draw) -> None:
        """Count a batch."""
        alone = draw.kind == MONOLINGUAL
        self.kinds[0 if alone else 1] += 1
        self.sources[draw.source] += 1
        self.monolingual_steps[number] = alone
        if alone:
            self.monolingual[draw.query_language[0]] += 1
        else:
            np.add.at(self.cross, (draw.query_language, draw.passage_language), 1)
        np.add.at(self.examples, (draw.query_language, draw.passage_language), 1)
        if len(self.firsts) < _BATCHES:
            self.firsts.setdefault((draw.kind, draw.source), number)
        if number < self.counted:
            last = (number + 1) % self.epoch_steps == 0
            self.pair_times.add(draw.pairs, last)
            self.passage_times.add(self._pairs.passage[draw.pairs], last)


class _RepeatCounts:
    """How many rows were drawn how many times in an epoch, added up over epochs."""

    def __init__(self, rows: int) -> None:
        self._rows = np.zeros(rows, np.int64)
        self.counts = np.zeros(MOST + 1, np.int64)

    def add(self, rows: Integers, last: bool) -> None:
        """Count the rows of a batch, none of which comes twice in it; `last` says that the epoch ends."""
        self._rows[rows] += 1
        if last:
            self.counts += np.bincount(self._rows.clip(max=MOST), minlength=MOST + 1)
            self._rows[:] = 0


def _shares(names: Iterable[Name], drawn: Integers, of: int, chances: Chances) -> dict[Name, Share]:
    """By name, without what neither came nor could."""
    rows = zip(names, drawn.tolist(), *(part.tolist() for part in chances), strict=True)
    return {name: Share(count, of, expected, error) for name, count, expected, error in rows if count or expected}


def _repeats(times: _RepeatCounts, expected: Floats, epochs: int) -> Repeats:
    drawn = times.counts / epochs
    drawn[0] += round(expected.sum()) - drawn.sum()  # those that could not be drawn do not count
    return Repeats(drawn.tolist(), expected.tolist())


def _schedule(expected: Expected, drawn: Floats, loader: ReleaseLoader) -> Schedule | None:
    if not expected.changes:
        return None
    codes = loader.release.languages
    lines = {code: expected.alphas[:, codes.index(code)] for code in loader.sampler.languages}
    windows = np.array_split(np.arange(len(drawn)), min(_WINDOWS, len(drawn)))

    def means(line: Floats) -> list[float]:
        return [float(line[window].mean()) for window in windows]

    groups: dict[tuple[float, ...], list[str]] = {}
    for code, line in lines.items():
        groups.setdefault(tuple(means(line)), []).append(code)
    return Schedule(
        means(np.arange(len(drawn), dtype=np.float64)),
        {tuple(names): list(line) for line, names in groups.items()},
        means(expected.monolingual_steps),
        means(drawn),
    )
