"""Draws batches in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers, Mask, Pairs
from parallel_qa.pipeline.batches.sampling.conflicts import Conflicts
from parallel_qa.pipeline.batches.sampling.counter_random import RANDOM
from parallel_qa.pipeline.batches.sampling.language_choice import CROSS_LINGUAL, MONOLINGUAL, LanguageRules, SourceLanguages
from parallel_qa.pipeline.batches.sampling.source_pairs import Between, SourcePairs
from parallel_qa.pipeline.batches.sampling.source_shares import source_shares
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats, WeightedChoice, normalised
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import log

_TRIES = 8
"""Draws from a source of so many times a batch, before its pairs are looked through one by one."""

_LEAST_SHARE = 0.02
"""Where fewer of a source's pairs survived, those that did are looked up."""


@dataclass(frozen=True)
class Draw:
    """A batch in numbers: rows of the release, and languages by their numbers in it."""

    kind: str
    source: int
    pairs: Integers
    query_language: Integers
    passage_language: Integers
    negatives: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of each example, passage row and language of its hard negatives."""


@dataclass(frozen=True)
class Totals:
    """Pairs of a whole release."""

    sizes: Integers
    """By source."""
    kept: Integers
    """Of shape (sources, languages): pairs of which both sides survived in the language."""
    available: Mask
    """Of the same shape: whether batches of the source may be in the language."""


class Sampler:
    """Draws batches by the rules of arXiv 2408.10536.

    A source is drawn by its size, then a language that it has, and by the alpha of that the kind of batch. In a cross-lingual batch
    every example has two different languages, of those in which its query and its passage survived. No two examples share a query or
    a passage, in any language, nor is a passage of one known to answer the query of another.
    """

    def __init__(
        self, pairs: Pairs, sources: Sequence[str], languages: Sequence[str], settings: BatchSettings, totals: Totals, is_part: bool = False
    ) -> None:
        """`sources` and `languages` are those of the release, in its order; `is_part` says that `pairs` are not all that `totals` count.

        Raises UserError where not every batch that may come can be drawn; of a part, where none can: a source that has too little
        there is left out.
        """
        self._pairs = pairs
        self._settings = settings
        self._sources = list(sources)
        self._is_part = is_part
        self._rules = LanguageRules(settings, languages, totals.kept.sum(axis=0))
        self.of_sources = [SourceLanguages(self._rules, available) for available in totals.available]
        """The languages of the batches of each source."""
        self._source_pairs = [SourcePairs(pairs, number, own) for number, own in enumerate(self.of_sources)]
        self._conflicts = Conflicts(pairs)
        self._check_languages(source_shares(settings, self._sources, totals.sizes, totals.sizes))
        self._source_shares = source_shares(settings, self._sources, totals.sizes, pairs.index.sizes)
        self._check_sources()
        self._source_choice = WeightedChoice(self._source_shares)

    @property
    def languages(self) -> list[str]:
        """The languages that batches may have by the settings."""
        return [self._rules.codes[bit] for bit in self._rules.bits]

    @property
    def source_shares(self) -> dict[str, float]:
        """The probability of each source."""
        return dict(zip(self._sources, self._source_shares.tolist(), strict=True))

    @property
    def language_shares(self) -> dict[str, float]:
        """The probability of each of `languages`, over all sources."""
        shares = sum(share * own.shares for share, own in zip(self._source_shares.tolist(), self.of_sources, strict=True))
        return {self._rules.codes[bit]: float(shares[bit]) for bit in self._rules.bits}

    @property
    def kinds(self) -> set[str]:
        """The kinds of batches that may come."""
        return set().union(*(own.kinds for own, share in zip(self.of_sources, self._source_shares.tolist(), strict=True) if share))

    def alpha(self, language: str, step: int) -> float:
        """The alpha of a language (NLLB code) at a step counted over all epochs."""
        return self._rules.alpha(self._rules.codes.index(language), step)

    def draw(self, epoch: int, step: int, steps_before: int) -> Draw:
        """The batch at `step` of `epoch`; `steps_before` are all steps of earlier epochs, which a schedule counts too."""
        rng = RANDOM.at(self._settings.seed, epoch, step)
        source = self._source_choice.draw_number(rng)
        own = self.of_sources[source]
        language = own.draw_language(rng)
        monolingual = rng.random() < own.alpha(language, steps_before + step)
        return self._draw_monolingual(source, language, rng) if monolingual else self._draw_cross_lingual(source, rng)

    def _draw_monolingual(self, source: int, bit: int, rng: np.random.Generator) -> Draw:
        pairs = self._draw_pairs(source, (bit, bit), rng)
        languages = np.full(len(pairs), bit, dtype=np.int64)
        return Draw(MONOLINGUAL, source, pairs, languages, languages, self._negatives(source, pairs, languages, languages, rng))

    def _draw_cross_lingual(self, source: int, rng: np.random.Generator) -> Draw:
        if self._settings.pairs_of == "batch":
            between = self.of_sources[source].draw_language_pair(rng)
            pairs = self._draw_pairs(source, between, rng)
            queries, passages = (np.full(len(pairs), bit, dtype=np.int64) for bit in between)
        else:
            pairs = self._draw_pairs(source, None, rng)
            queries, passages = self._source_pairs[source].draw_languages(pairs, rng)
        return Draw(CROSS_LINGUAL, source, pairs, queries, passages, self._negatives(source, pairs, queries, passages, rng))

    def _draw_pairs(self, source: int, between: Between, rng: np.random.Generator) -> Integers:
        """`batch_size` pairs of a source that survived in the languages, no two of them in conflict; uniformly."""
        own, size = self._source_pairs[source], self._settings.batch_size
        share = own.share(between)
        chosen: list[int] = []
        if len(own.rows) > _TRIES * size and share > _LEAST_SHARE:
            for _ in range(_TRIES):
                candidates = own.surviving(own.draw_rows(int(1.1 * size / share) + 8, rng), between)
                if not chosen and len(candidates) >= size and self._conflicts.has_none(candidates[:size]):
                    return candidates[:size]
                self._conflicts.add_free(candidates, chosen, size)
                if len(chosen) == size:
                    return np.array(chosen, dtype=np.int64)
        self._conflicts.add_free(rng.permutation(own.survivors(between)), chosen, size)
        if len(chosen) < size:
            raise UserError(self._too_few(source, between, len(chosen)))
        return np.array(chosen, dtype=np.int64)

    def _negatives(
        self, source: int, pairs: Integers, queries: Integers, passages: Integers, rng: np.random.Generator
    ) -> list[list[tuple[int, int]]]:
        """Hard negatives of each example, none of which is known to answer any query of the batch."""
        if not self._settings.negatives:
            return []
        answers = self._conflicts.known_answers(self._pairs.query[pairs].tolist())
        answers.update(self._pairs.passage[pairs].tolist())
        ends, bits = self._pairs.negative_ends, self.of_sources[source].bits
        result = []
        for pair, query, passage in zip(pairs.tolist(), queries.tolist(), passages.tolist(), strict=True):
            start = int(ends[pair - 1]) if pair else 0
            rows = [row for row in self._pairs.negative_rows[start : int(ends[pair])].tolist() if row not in answers]
            fixed = {"query": query, "passage": passage}.get(self._settings.negative_language)
            result.append([(row, int(rng.choice(bits)) if fixed is None else fixed) for row in rows])
        return result

    def _check_sources(self) -> None:
        """Try every kind of batch that may come, so that what cannot be drawn is known before the first."""
        faults = []
        for source in np.flatnonzero(self._source_shares).tolist():
            try:
                self._try_source(source)
            except UserError as error:
                if not self._is_part:
                    raise
                faults.append(f"{self._sources[source]}: {error}")
                self._source_shares[source] = 0.0
        for fault in faults:
            log.warning("no batches of this source here: %s", fault)
        self._source_shares = normalised(self._source_shares, "; ".join(faults))

    def _check_languages(self, source_shares: Floats) -> None:
        """Raises UserError where the languages of a source that is drawn do not go with the settings."""
        rules, drawn = self._rules, np.flatnonzero(source_shares).tolist()
        bits = [bit for bit, share in zip(rules.bits, rules.shares.tolist(), strict=True) if share]
        if CROSS_LINGUAL in rules.kinds(bits) and not rules.pair_weights.any():
            raise UserError("languages: cross-lingual batches need two languages that are allowed together; name more, or set alpha to 1")
        names = ", ".join(rules.codes[bit] for bit in bits)
        for source in drawn:
            name, own = self._sources[source], self.of_sources[source]
            if not own.shares.any():
                raise UserError(f"source {name!r} has no pairs in {names}: name a language that it has, or leave it out (source_weights)")
            if self._settings.mode == CROSS_LINGUAL and not own.mixes:
                codes = ", ".join(rules.codes[bit] for bit in np.flatnonzero(own.shares).tolist())
                raise UserError(
                    f"mode: source {name!r} has {codes} only, so that its batches cannot be cross-lingual: leave it out "
                    f"(source_weights), or let them be monolingual (mode hybrid, with alpha 0 if all others are to be cross-lingual)"
                )
        for bit in bits:
            if any(self.of_sources[source].shares[bit] for source in drawn):
                continue
            if self._settings.languages is not None:
                raise UserError(f"languages: no source that is drawn has pairs in {rules.codes[bit]}: leave it out")
            if not self._is_part:
                log.warning("no source that is drawn has pairs in %s: no batch will be in it", rules.codes[bit])

    def _try_source(self, source: int) -> None:
        """Raise UserError where a source has too little for a batch that may come."""
        own, rng = self.of_sources[source], RANDOM.at(self._settings.seed, 2**64 - 1, 0)
        betweens: list[Between] = [(bit, bit) for bit in own.monolingual_bits]
        if CROSS_LINGUAL in own.kinds:
            every: list[Between] = [(query, passage) for query, passage in np.argwhere(own.pair_weights).tolist()]
            betweens += every if self._settings.pairs_of == "batch" else [None]
        for between in betweens:
            found = int(self._source_pairs[source].share(between) * len(self._source_pairs[source].rows))
            if self._is_part and found < 2 * self._settings.batch_size:  # nothing may be amiss when batches are drawn
                raise UserError(self._too_few(source, between, found))
            self._draw_pairs(source, between, rng)

    def _too_few(self, source: int, between: Between, found: int) -> str:
        monolingual = between is not None and between[0] == between[1]
        kind = f"{MONOLINGUAL} {self._rules.codes[between[0]]}" if between and monolingual else CROSS_LINGUAL
        return (
            f"batch_size: {self._settings.batch_size} is more than {kind} batches of source {self._sources[source]!r} can hold "
            f"without a query or a passage twice ({found} distinct ones, as far as was looked); choose a smaller one"
        )
