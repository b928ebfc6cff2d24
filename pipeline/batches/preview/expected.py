"""What batches should be made of, by the settings and the release, without drawing any.

All is exact for drawing without regard to what a batch has already. That no two examples of a batch share a query or a passage
makes pairs of frequent passages a little rarer; it shows where a batch holds much of a source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers, Pairs
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats

Chances = tuple[Floats, Floats]
"""Shares, and the standard error of each if it is drawn."""

MOST = 10
"""Repeats are told apart up to this number."""

_PART = 100_000
"""Pairs to look at in one go."""

_TINY = float(np.finfo(float).tiny)


class Expected:
    """Expected shares over the first `steps` batches of a loader; arrays are by the languages and sources of the release.

    A source is drawn in the languages that it has, so that languages and kinds depend on it.
    """

    def __init__(self, loader: ReleaseLoader, steps: int) -> None:
        release, sampler, settings = loader.release, loader.sampler, loader.settings
        self._size = settings.batch_size
        self._one_language_pair = settings.pairs_of == "batch"
        self._pairs = release.columns
        self._source_shares = np.array([sampler.source_shares[name] for name in release.sources])
        self.alphas = _alphas(loader, steps)
        """The probability that a batch is monolingual, by step and language, where a source has several languages."""
        self.changes = bool((self.alphas != self.alphas[0]).any())
        alphas = [self.alphas if own.mixes else np.ones_like(self.alphas) for own in sampler.of_sources]
        self._monolingual = [own.shares * of_source for own, of_source in zip(sampler.of_sources, alphas, strict=True)]
        """By source: by step and language, the probability that a batch of the source is monolingual in the language."""
        self._cross_lingual = [(1 - of_source) @ own.shares for own, of_source in zip(sampler.of_sources, alphas, strict=True)]
        """By source: by step, the probability that a batch of the source is cross-lingual."""
        numbers = range(len(release.sources))
        self._of_sources = [_SourceChances(self._pairs, number, sampler.of_sources[number].pair_weights, settings) for number in numbers]
        self._cross = np.array([of_source.language_pairs for of_source in self._of_sources])

    @property
    def monolingual_steps(self) -> Floats:
        """The probability of a monolingual batch at each step: the sum over sources and languages of share × share × alpha."""
        steps: Floats = self._over_sources(self._monolingual).sum(axis=1)
        return steps

    def kinds(self) -> Chances:
        """Of all batches, monolingual and cross-lingual ones."""
        chances = self.monolingual_steps
        error = np.sqrt((chances * (1 - chances)).sum()) / len(chances)
        return np.array([chances.mean(), 1 - chances.mean()]), np.array([error, error])

    def sources(self) -> Chances:
        """Of all batches, those of each source."""
        return self._source_shares, _error(self._source_shares, self._source_shares, len(self.alphas))

    def monolingual(self, batches: int) -> Chances:
        """Of so many monolingual batches, those in each language: share × alpha, over the sum of these."""
        means = self._over_sources(self._monolingual).mean(axis=0)
        shares = means / max(means.sum(), _TINY)
        return shares, _error(shares, shares, batches)

    def examples(self, side: int) -> Chances:
        """Of all examples, those whose query (`side` 0) or passage (1) is in each language.

        A monolingual batch is in one language, so that the standard error is that of batches and not of examples.
        """
        cross = self._cross.sum(axis=2 - side)
        means, squares = (
            self._over_sources(
                [alone + rest[:, None] * of for alone, rest, of in zip(self._monolingual, self._cross_lingual, shares, strict=True)]
            )
            for shares in (cross, self._mean_squares(cross))
        )
        return means.mean(axis=0), np.sqrt((squares - means**2).clip(0).sum(axis=0)) / len(means)

    def pairs(self, batches: int) -> Chances:
        """Of the examples of so many cross-lingual batches, those in each language of query (row) and passage (column)."""
        shares = self._source_shares * [of_steps.mean() for of_steps in self._cross_lingual]
        shares = shares / max(shares.sum(), _TINY)
        mean, square = (np.tensordot(shares, of_sources, 1) for of_sources in (self._cross, self._mean_squares(self._cross)))
        return mean, _error(square, mean, batches)

    def chances(self, start: int, end: int) -> Floats:
        """For each pair the probability that a batch has it, as the mean over the steps from `start` to `end`; 0 if none can."""
        chances = np.zeros(len(self._pairs))
        for number, (share, of_source) in enumerate(zip(self._source_shares.tolist(), self._of_sources, strict=True)):
            means = [of_steps[number][start:end].mean(axis=0) for of_steps in (self._monolingual, self._cross_lingual)]
            for rows, of_rows in of_source.chances(means[0], float(means[1])):
                chances[rows] = share * of_rows
        return chances

    def repeats(self, epochs: int, steps: int) -> tuple[Floats, Floats]:
        """How many pairs, and how many passages, are expected 0, 1, …, `MOST` or more times in an epoch of so many steps.

        Of those that could be drawn in any of the epochs; the mean over the epochs.
        """
        possible = [chances > 0 for chances in self._pair_and_passage_chances(0, epochs * steps)]
        starts = range(0, epochs * steps if self.changes else steps, steps)
        of_epochs = [
            [repeats(of[mask], steps) for of, mask in zip(self._pair_and_passage_chances(start, start + steps), possible, strict=True)]
            for start in starts
        ]
        pairs, passages = np.mean(of_epochs, axis=0)
        return pairs, passages

    def _pair_and_passage_chances(self, start: int, end: int) -> tuple[Floats, Floats]:
        pairs = self.chances(start, end)
        return pairs, np.asarray(np.bincount(self._pairs.passage, pairs), np.float64)

    def _over_sources(self, of_sources: Sequence[Floats]) -> Floats:
        """The mean over the sources, each by its share."""
        total = np.zeros_like(of_sources[0])
        for share, of_source in zip(self._source_shares.tolist(), of_sources, strict=True):
            total += share * of_source
        return total

    def _mean_squares(self, shares: Floats) -> Floats:
        """The mean square of the share of something in a cross-lingual batch, whose expected share, by source, is given.

        Examples draw their languages one by one, or all of a batch at once.
        """
        return shares if self._one_language_pair else shares**2 + shares * (1 - shares) / self._size


class _SourceChances:
    """What is to be expected of the batches of one source."""

    def __init__(self, pairs: Pairs, source: int, weights: Floats, settings: BatchSettings) -> None:
        """`weights` are those of languages of query and passage; all 0 where no two are allowed."""
        weights = weights / max(weights.sum(), _TINY)
        self._pairs, self._source, self._weights, self._size = pairs, source, weights, settings.batch_size
        self._one_language_pair = settings.pairs_of == "batch"
        self._joint = np.zeros_like(weights)
        """Pairs by the language of a query and of a passage that survived."""
        self._any = 0.0
        drawable = np.zeros_like(weights)
        for _, queries, passages in self._parts():
            norms = _norms(queries, passages, weights)
            self._joint += queries.T @ passages
            self._any += float((norms > 0).sum())
            drawable += queries.T @ (_inverse(norms)[:, None] * passages)
        self.language_pairs = weights if self._one_language_pair else weights * drawable / max(self._any, 1.0)
        """Expected shares of languages of query and passage in cross-lingual batches: the weights, or where each example draws its
        own, the mean over the pairs of the weights of languages in which both sides survived, normalised for each pair."""

    def chances(self, monolingual: Floats, cross: float) -> Iterator[tuple[Integers, Floats]]:
        """Rows, and the probability of each to be in a batch of this source.

        A batch is monolingual in a language with the probability `monolingual`, and with `cross` cross-lingual.
        """
        alone = monolingual * self._size * _inverse(self._joint.diagonal())
        together = cross * self._size * self._weights * _inverse(self._joint)
        for rows, queries, passages in self._parts():
            chances = (queries * passages) @ alone
            if self._one_language_pair:
                chances += _norms(queries, passages, together)
            elif self._any:
                chances += cross * self._size / self._any * (_norms(queries, passages, self._weights) > 0)
            yield rows, chances.clip(0, 1)

    def _parts(self) -> Iterator[tuple[Integers, Floats, Floats]]:
        """Pairs of the source, some at a time: rows, and 1 for each language in which query and passage survived."""
        every, bits = self._pairs.index.source_rows[self._source], np.arange(len(self._weights))
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
    counts = []
    for count in range(MOST):
        counts.append(float(term.sum()))
        term = term * odds * max(steps - count, 0) / (count + 1)
    return np.array([*counts, max(len(possible) - sum(counts), 0.0)])


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
