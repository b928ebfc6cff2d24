"""The pairs of one source, by the languages in which they survived."""

from __future__ import annotations

import numpy as np

from parallel_qa.pipeline.batches.links import Integers, Mask, Pairs
from parallel_qa.pipeline.batches.sampling.language_choice import SourceLanguages
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats

Between = tuple[int, int] | None
"""Languages of query and passage, by their numbers in the release; None for any two that are allowed together."""

_LANGUAGE_TRIES = 4
"""Draws of two languages for an example, before those in which it survived are looked up."""

_CHUNK = 1_000_000
"""Pairs that are looked at in one go."""

_BYTE = 8


class SourcePairs:
    """The pairs of one source, addressed by their rows in the release."""

    def __init__(self, pairs: Pairs, source: int, languages: SourceLanguages) -> None:
        """`source` is the number of the source."""
        self.rows = pairs.index.source_rows[source]
        self._pairs = pairs
        self._sampled = pairs.index.sampled_bits[source]
        self._languages = languages
        self._partners = _partner_tables(languages.pair_weights)
        self._shares: dict[Between, float] = {}
        self._survivors: dict[Between, Integers] = {}

    def draw_rows(self, count: int, rng: np.random.Generator) -> Integers:
        """So many rows, uniformly, some of them maybe twice."""
        places = (rng.random(count) * len(self.rows)).astype(np.int64)
        return places if len(self.rows) == len(self._pairs) else self.rows[places]

    def surviving(self, rows: Integers, between: Between) -> Integers:
        """Those of `rows` whose two sides survived in the languages."""
        links = self._pairs.links.take(rows, axis=0)
        return rows[self._fit(links[:, 2], links[:, 3], between)]

    def share(self, between: Between) -> float:
        """About which share of the pairs survived in the languages."""
        if between not in self._shares:
            fit = self._fit(self._sampled[:, 0], self._sampled[:, 1], between)
            self._shares[between] = float(fit.mean()) if len(fit) else 0.0
        return self._shares[between]

    def survivors(self, between: Between) -> Integers:
        """The rows of all pairs that survived in the languages."""
        if between not in self._survivors:
            parts = np.array_split(self.rows, 1 + len(self.rows) // _CHUNK)
            self._survivors[between] = np.concatenate([self.surviving(part, between) for part in parts])
        return self._survivors[between]

    def draw_languages(self, rows: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Languages of query and passage for each row, by the weights of those pairs of languages in which it survived."""
        queries, passages = self._languages.draw_language_pairs((_LANGUAGE_TRIES, len(rows)), rng)
        links = self._pairs.links.take(rows, axis=0)
        survived = (links[:, 2] >> queries) & (links[:, 3] >> passages) & 1
        first, places = survived.argmax(axis=0), np.arange(len(rows))
        query, passage = queries[first, places], passages[first, places]
        left = places[survived[first, places] == 0]
        if len(left):
            weights = self._possible_weights(links[left])
            ends = weights.reshape(len(left), -1).cumsum(axis=1)
            chosen = (ends > rng.random((len(left), 1)) * ends[:, -1:]).argmax(axis=1)
            query[left], passage[left] = np.divmod(chosen, weights.shape[1])
        return query, passage

    def _possible_weights(self, links: Integers) -> Floats:
        """The weight of each pair of languages for each of `links`; 0 where a side did not survive."""
        bits = np.arange(len(self._languages.pair_weights))
        queries, passages = ((links[:, column, None] >> bits) & 1 for column in (2, 3))
        weights: Floats = queries[:, :, None] * passages[:, None, :] * self._languages.pair_weights
        return weights

    def _fit(self, query_bits: Integers, passage_bits: Integers, between: Between) -> Mask:
        if between is not None:
            return np.asarray((query_bits >> between[0]) & (passage_bits >> between[1]) & 1, dtype=bool)
        partners = np.zeros(len(query_bits), np.int64)
        for number, table in enumerate(self._partners):
            partners |= table[query_bits >> _BYTE * number & 255]
        return np.asarray(partners & passage_bits, dtype=bool)


def _partner_tables(weights: Floats) -> list[Integers]:
    """For each byte of the languages of a query as bits: by its value, the languages that a passage may have beside them."""
    tables = []
    for start in range(0, len(weights), _BYTE):
        table = np.zeros(256, np.int64)
        for place, of_language in enumerate(weights[start : start + _BYTE]):
            partners = (np.int64(1) << np.flatnonzero(of_language)).sum()
            table[np.arange(256) >> place & 1 == 1] |= partners
        tables.append(table)
    return tables
