"""What batches should be made of, by the settings and the release, without drawing any.

All is exact for drawing without regard to what a batch has already. That no two examples of a batch share a query or a passage
makes pairs of frequent passages a little rarer; it shows where a batch holds much of a source.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers, Pairs
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.batches.sampling import Floats

Chances = tuple[Floats, Floats]
"""Shares, and the standard error of each if it is drawn."""

MOST = 10
"""Repeats are told apart up to this number."""

_PART = 100_000
"""Pairs to look at in one go."""

_TINY = float(np.finfo(float).tiny)


class Expected:
    """Expected shares over the first `steps` batches of a loader; arrays are by the languages and sources of the release."""

    def __init__(self, loader: ReleaseLoader, steps: int) -> None:
        release, sampler, settings = loader.release, loader.sampler, loader.settings
        self._size = settings.batch_size
        self._whole = settings.pairs_of == "batch"
        self._pairs = release.columns
        self._sources = np.array([sampler.source_shares[name] for name in release.sources])
        self.alphas = _alphas(loader, steps)
        """The probability that a batch is monolingual, by step and language."""
        self.changes = bool((self.alphas != self.alphas[0]).any())
        shares = np.zeros(len(release.languages))
        for code, share in sampler.language_shares.items():
            shares[release.languages.index(code)] = share
        self._monolingual = shares * self.alphas
        weights = sampler.pair_weights / max(sampler.pair_weights.sum(), _TINY)
        self._pools = [_Pools(self._pairs, source, weights, settings) for source in range(len(release.sources))]
        self._cross = np.array([pools.examples for pools in self._pools])

    @property
    def monolingual_steps(self) -> Floats:
        """The probability of a monolingual batch at each step: the sum over languages of share × alpha."""
        steps: Floats = self._monolingual.sum(axis=1)
        return steps

    def kinds(self) -> Chances:
        """Of all batches, monolingual and cross-lingual ones."""
        chances = self.monolingual_steps
        error = np.sqrt((chances * (1 - chances)).sum()) / len(chances)
        return np.array([chances.mean(), 1 - chances.mean()]), np.array([error, error])

    def sources(self) -> Chances:
        """Of all batches, those of each source."""
        return self._sources, _error(self._sources, self._sources, len(self._monolingual))

    def monolingual(self, batches: int) -> Chances:
        """Of so many monolingual batches, those in each language: share × alpha, over the sum of these."""
        means = self._monolingual.mean(axis=0)
        shares = means / max(means.sum(), _TINY)
        return shares, _error(shares, shares, batches)

    def examples(self, side: int) -> Chances:
        """Of all examples, those whose query (`side` 0) or passage (1) is in each language.

        A monolingual batch is in one language, so that the standard error is that of batches and not of examples.
        """
        mean, square = self._moments(self._cross.sum(axis=2 - side))
        rest = 1 - self.monolingual_steps[:, None]
        means = self._monolingual + rest * mean
        variances = self._monolingual + rest * square - means**2
        return means.mean(axis=0), np.sqrt(variances.clip(0).sum(axis=0)) / len(means)

    def pairs(self, batches: int) -> Chances:
        """Of the examples of so many cross-lingual batches, those in each language of query (row) and passage (column)."""
        mean, square = self._moments(self._cross)
        return mean, _error(square, mean, batches)

    def chances(self, start: int, end: int) -> Floats:
        """For each pair the probability that a batch has it, as the mean over the steps from `start` to `end`; 0 if none can."""
        monolingual = self._monolingual[start:end].mean(axis=0)
        found = np.zeros(len(self._pairs.source))
        for share, pools in zip(self._sources.tolist(), self._pools, strict=True):
            for rows, chances in pools.chances(monolingual, 1 - monolingual.sum()):
                found[rows] = share * chances
        return found

    def repeats(self, epochs: int, steps: int) -> tuple[Floats, Floats]:
        """How many pairs, and how many passages, are expected 0, 1, …, `MOST` or more times in an epoch of so many steps.

        Of those that could be drawn in any of the epochs; the mean over the epochs.
        """
        possible = [chances > 0 for chances in self._both(0, epochs * steps)]
        starts = range(0, epochs * steps if self.changes else steps, steps)
        found = [
            [repeats(of[mask], steps) for of, mask in zip(self._both(start, start + steps), possible, strict=True)] for start in starts
        ]
        pairs, passages = np.mean(found, axis=0)
        return pairs, passages

    def _both(self, start: int, end: int) -> tuple[Floats, Floats]:
        pairs = self.chances(start, end)
        return pairs, np.asarray(np.bincount(self._pairs.passage, pairs), np.float64)

    def _moments(self, cross: Floats) -> tuple[Floats, Floats]:
        """Mean and mean square, over sources and batches, of the share of something in a cross-lingual batch.

        `cross` has the expected shares by source, of examples that draw their languages one by one or all at once.
        """
        square = cross if self._whole else cross**2 + cross * (1 - cross) / self._size
        return np.tensordot(self._sources, cross, 1), np.tensordot(self._sources, square, 1)


class _Pools:
    """How many pairs of a source each kind of batch can draw from."""

    def __init__(self, pairs: Pairs, source: int, weights: Floats, settings: BatchSettings) -> None:
        """`weights` are those of languages of query and passage, with a sum of 1, or of 0 where no two are allowed."""
        self._pairs, self._source, self._weights, self._size = pairs, source, weights, settings.batch_size
        self._whole = settings.pairs_of == "batch"
        self._joint = np.zeros_like(weights)
        """Pairs by the language of a query and of a passage that survived."""
        self._any = 0.0
        found = np.zeros_like(weights)
        for _, queries, passages in self._parts():
            norms = _norms(queries, passages, weights)
            self._joint += queries.T @ passages
            self._any += float((norms > 0).sum())
            found += queries.T @ (_inverse(norms)[:, None] * passages)
        self.examples = weights if self._whole else weights * found / max(self._any, 1.0)
        """Expected shares of languages of query and passage in cross-lingual batches: the weights, or where each example draws its
        own, the mean over the pairs of the weights of languages in which both sides survived, normalised for each pair."""

    def chances(self, monolingual: Floats, cross: float) -> Iterator[tuple[Integers, Floats]]:
        """Rows, and the probability of each to be in a batch of this source.

        A batch is monolingual in a language with the probability `monolingual`, and with `cross` cross-lingual.
        """
        alone = monolingual * self._size * _inverse(self._joint.diagonal())
        together = cross * self._size * self._weights * _inverse(self._joint)
        for rows, queries, passages in self._parts():
            found = (queries * passages) @ alone
            if self._whole:
                found += _norms(queries, passages, together)
            elif self._any:
                found += cross * self._size / self._any * (_norms(queries, passages, self._weights) > 0)
            yield rows, found.clip(0, 1)

    def _parts(self) -> Iterator[tuple[Integers, Floats, Floats]]:
        """Pairs of the source, some at a time: rows, and 1 for each language in which query and passage survived."""
        every, bits = np.flatnonzero(self._pairs.source == self._source), np.arange(len(self._weights))
        for rows in np.array_split(every, 1 + len(every) // _PART):
            sides = (self._pairs.query_bits[rows], self._pairs.passage_bits[rows])
            queries, passages = (((side[:, None] >> bits) & 1).astype(np.float64) for side in sides)
            yield rows, queries, passages


def repeats(chances: Floats, steps: int) -> Floats:
    """How many of those with `chances` are expected 0, 1, …, `MOST` or more times in `steps` batches.

    The sum over all of them of the binomial probability C(steps, k) p^k (1 - p)^(steps - k), as if batches knew nothing of each other;
    with a schedule p is the mean over the steps.
    """
    possible = chances.clip(0, 1 - 1e-12)
    odds = possible / (1 - possible)
    term = (1 - possible) ** steps
    found = []
    for count in range(MOST):
        found.append(float(term.sum()))
        term = term * odds * max(steps - count, 0) / (count + 1)
    return np.array([*found, max(len(possible) - sum(found), 0.0)])


def _alphas(loader: ReleaseLoader, steps: int) -> Floats:
    settings, sampler, codes = loader.settings, loader.sampler, loader.release.languages
    constant = all(alpha.constant for alpha in (settings.alpha, *settings.alpha_groups))
    alphas = np.zeros((1 if constant else steps, len(codes)))
    for code in sampler.languages:
        alphas[:, codes.index(code)] = [sampler.alpha(code, step) for step in range(len(alphas))]
    return np.broadcast_to(alphas, (steps, len(codes)))


def _error(square: Floats, mean: Floats, count: int) -> Floats:
    """The standard error of the mean of `count` draws with this mean and mean square."""
    error: Floats = np.sqrt((square - mean**2).clip(0) / max(count, 1))
    return error


def _norms(queries: Floats, passages: Floats, weights: Floats) -> Floats:
    """For each pair the sum of the weights of languages in which both sides survived."""
    norms: Floats = ((queries @ weights) * passages).sum(axis=1)
    return norms


def _inverse(values: Floats) -> Floats:
    return np.divide(1.0, values, out=np.zeros_like(values, dtype=np.float64), where=values > 0)
