"""Which pairs and languages make a batch: a pure function of (release, settings, epoch, step)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.batch_settings import Alpha, BatchSettings
from parallel_qa.pipeline.batches.links import Integers, Pairs
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.progress import log

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
MONOLINGUAL, CROSS_LINGUAL = "monolingual", "cross-lingual"

_TRIES = 8
"""Draws from a source of so many times a batch, before its pairs are looked through one by one."""

_LEAST_SHARE = 0.02
"""Where fewer of a source's pairs survived, those that did are looked up."""

_SAMPLE = 100_000
"""Pairs to estimate that from, at most about twice as many."""

_LANGUAGE_TRIES = 4
"""Draws of two languages for an example, before those in which it survived are looked up."""

_CHUNK = 1_000_000
"""Pairs that are looked at in one go."""


@dataclass(frozen=True)
class Draw:
    """A batch in numbers: rows of the release, and languages as bits."""

    kind: str
    source: int
    pairs: Integers
    query_language: Integers
    passage_language: Integers
    negatives: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of each example, passage row and language of its hard negatives."""


@dataclass(frozen=True)
class Totals:
    """Pairs of a whole release, where batches are drawn from a part of it."""

    sources: Mapping[str, int]
    languages: Mapping[str, int]
    """By NLLB code: pairs of which both sides survived."""


class Sampler:
    """Draws batches by the rules of arXiv 2408.10536.

    A source is drawn by its size, then a language and by its alpha the kind of batch. In a cross-lingual batch every example has
    two different languages, of those in which its query and its passage survived. No two examples share a query or a passage, in
    any language, nor is a passage of one known to answer the query of another.
    """

    def __init__(
        self, pairs: Pairs, sources: Sequence[str], languages: Sequence[str], settings: BatchSettings, totals: Totals | None = None
    ) -> None:
        """`sources` and `languages` are those of the release, in its order; `totals` where `pairs` are a part of it.

        Raises UserError where not every batch that may come can be drawn; of a part, where none can: a source that has too little
        there is left out.
        """
        self._pairs = pairs
        self._settings = settings
        self._languages = list(languages)
        self._sources = list(sources)
        self._totals = totals
        self._bits = chosen_languages(settings.languages, self._languages)
        self._alphas = dict.fromkeys(self._bits, settings.alpha) | self._groups()
        self._pair_weights = self._allowed()
        self._language_pairs = _Choice(self._pair_weights.ravel())
        self._rows = [np.flatnonzero(pairs.source == number) for number in range(len(self._sources))]
        self._shares: dict[tuple[int, int, int], float] = {}
        self._pools: dict[tuple[int, int, int], Integers] = {}
        self._source_shares = self._shares_of_sources()
        self._language_shares = self._shares_of_languages()
        self._answers = _Answers(pairs.query, pairs.passage)
        self._check()
        self._choices = _Choice(self._source_shares), _Choice(self._language_shares)

    @property
    def languages(self) -> list[str]:
        """The languages that batches may have."""
        return [self._languages[bit] for bit in self._bits]

    @property
    def source_shares(self) -> dict[str, float]:
        """The probability of each source."""
        return dict(zip(self._sources, self._source_shares.tolist(), strict=True))

    @property
    def language_shares(self) -> dict[str, float]:
        """The probability of each language that batches may have."""
        return dict(zip(self.languages, self._language_shares.tolist(), strict=True))

    @property
    def pair_weights(self) -> Floats:
        """By languages of the release, of query and passage: the weight of the two in a cross-lingual example; not normalised."""
        return self._pair_weights

    def alpha(self, language: str, step: int) -> float:
        """The probability that a batch is monolingual, where a language (NLLB code) is drawn at a step counted over all epochs."""
        return self._alpha(self._languages.index(language), step)

    def draw(self, epoch: int, step: int, steps_before: int) -> Draw:
        """The batch at `step` of `epoch`; `steps_before` are all steps of earlier epochs, which a schedule counts too."""
        rng = RANDOM.at(self._settings.seed, epoch, step)
        source, place = (choice.one(rng) for choice in self._choices)
        language = self._bits[place]
        monolingual = rng.random() < self._alpha(language, steps_before + step)
        return self._monolingual(source, language, rng) if monolingual else self._cross(source, rng)

    def _alpha(self, bit: int, step: int) -> float:
        mode = self._settings.mode
        return 1.0 if mode == MONOLINGUAL else 0.0 if mode == CROSS_LINGUAL else self._alphas[bit].at(step)

    def _monolingual(self, source: int, bit: int, rng: np.random.Generator) -> Draw:
        pairs = self._pick(source, bit, bit, rng)
        languages = np.full(len(pairs), bit, dtype=np.int64)
        return Draw(MONOLINGUAL, source, pairs, languages, languages, self._negatives(pairs, languages, languages, rng))

    def _cross(self, source: int, rng: np.random.Generator) -> Draw:
        if self._settings.pairs_of == "batch":
            query, passage = divmod(self._language_pairs.one(rng), len(self._languages))
            pairs = self._pick(source, query, passage, rng)
            queries, passages = (np.full(len(pairs), bit, dtype=np.int64) for bit in (query, passage))
        else:
            pairs = self._pick(source, -1, -1, rng)
            queries, passages = self._languages_of(pairs, rng)
        return Draw(CROSS_LINGUAL, source, pairs, queries, passages, self._negatives(pairs, queries, passages, rng))

    def _languages_of(self, pairs: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Languages of query and passage for each pair, by their weights among those in which it survived."""
        count = len(self._languages)
        tried = self._language_pairs.many((_LANGUAGE_TRIES, len(pairs)), rng)
        links = self._pairs.links.take(pairs, axis=0)
        survived = (links[:, 2] >> tried // count) & (links[:, 3] >> tried % count) & 1
        first = survived.argmax(axis=0)
        places = np.arange(len(pairs))
        chosen = tried[first, places]
        left = places[survived[first, places] == 0]
        if len(left):
            ends = self._possible(pairs[left]).reshape(len(left), -1).cumsum(axis=1)
            chosen[left] = (ends > rng.random((len(left), 1)) * ends[:, -1:]).argmax(axis=1)
        return chosen // count, chosen % count

    def _possible(self, pairs: Integers) -> Floats:
        """The weight of each pair of languages for each of `pairs`; 0 where a side did not survive."""
        bits = np.arange(len(self._languages))
        queries = (self._pairs.query_bits[pairs, None] >> bits) & 1
        passages = (self._pairs.passage_bits[pairs, None] >> bits) & 1
        possible: Floats = queries[:, :, None] * passages[:, None, :] * self._pair_weights
        return possible

    @cached_property
    def _mixed(self) -> Mask:
        """Of each pair whether it survived in two languages that are allowed together."""
        partners = [(bit, int((np.int64(1) << np.flatnonzero(self._pair_weights[bit])).sum())) for bit in self._bits]
        mixed = np.zeros(len(self._pairs), dtype=bool)
        for start in range(0, len(mixed), _CHUNK):
            part = slice(start, start + _CHUNK)
            queries, passages = self._pairs.query_bits[part], self._pairs.passage_bits[part]
            for bit, others in partners:
                mixed[part] |= ((queries >> bit & 1) != 0) & ((passages & others) != 0)
        return mixed

    def _fits(self, pairs: Integers, query: int, passage: int) -> Mask:
        """Which pairs survived in the languages of query and passage; -1 and -1 for any two that are allowed."""
        if query < 0:
            return self._mixed[pairs]
        links = self._pairs.links.take(pairs, axis=0)
        return np.asarray((links[:, 2] >> query) & (links[:, 3] >> passage) & 1, dtype=bool)

    def _pick(self, source: int, query: int, passage: int, rng: np.random.Generator) -> Integers:
        """`batch_size` pairs of a source that survived in the languages, no two of them in each other's way; uniformly."""
        rows, size = self._rows[source], self._settings.batch_size
        share = self._share(source, query, passage)
        chosen: list[int] = []
        if len(rows) > _TRIES * size and share > _LEAST_SHARE:
            for _ in range(_TRIES):
                candidates = (rng.random(int(1.1 * size / share) + 8) * len(rows)).astype(np.int64)
                if len(rows) < len(self._pairs):
                    candidates = rows[candidates]
                candidates = candidates[self._fits(candidates, query, passage)]
                if not chosen and self._apart(candidates[:size]):
                    return candidates[:size]
                self._take(candidates, chosen)
                if len(chosen) == size:
                    return np.array(chosen, dtype=np.int64)
        self._take(rng.permutation(self._pool(source, query, passage)), chosen)
        if len(chosen) < size:
            raise UserError(self._too_large(source, query, passage, len(chosen)))
        return np.array(chosen, dtype=np.int64)

    def _share(self, source: int, query: int, passage: int) -> float:
        """About which share of a source's pairs survived in the languages."""
        key = (source, query, passage)
        if key not in self._shares:
            rows = self._rows[source]
            some = rows[:: 1 + len(rows) // _SAMPLE]
            self._shares[key] = float(self._fits(some, query, passage).mean()) if len(some) else 0.0
        return self._shares[key]

    def _pool(self, source: int, query: int, passage: int) -> Integers:
        """All pairs of a source that survived in the languages; looked up where few did."""
        key = (source, query, passage)
        if key not in self._pools:
            rows = self._rows[source]
            parts = [part[self._fits(part, query, passage)] for part in np.array_split(rows, 1 + len(rows) // _CHUNK)]
            self._pools[key] = np.concatenate(parts)
        return self._pools[key]

    def _apart(self, candidates: Integers) -> bool:
        """Whether these are a batch as they are; mostly so in a large release."""
        size = self._settings.batch_size
        if len(candidates) < size:
            return False
        links = self._pairs.links.take(candidates, axis=0)
        if len(set(links[:, 0].tolist())) < size or len(set(links[:, 1].tolist())) < size:
            return False
        return not (self._answers.any_several and self._answers.several[links[:, 0]].any())

    def _take(self, candidates: Integers, chosen: list[int]) -> None:
        """Add candidates to `chosen` until the batch is full, but none that gets in the way of another."""
        query_of, passage_of = self._pairs.query, self._pairs.passage
        queries = set(query_of[chosen].tolist())
        passages = set(passage_of[chosen].tolist())
        answers = {row for query in queries for row in self._answers.of(query)}
        columns = (candidates, query_of[candidates], passage_of[candidates], self._answers.several[query_of[candidates]])
        for pair, query, passage, several in zip(*(column.tolist() for column in columns), strict=True):
            if len(chosen) == self._settings.batch_size:
                return
            if query in queries or passage in passages or passage in answers:
                continue
            if several:
                own = self._answers.of(query)
                if not passages.isdisjoint(own):
                    continue
                answers.update(own)
            queries.add(query)
            passages.add(passage)
            chosen.append(pair)

    def _negatives(self, pairs: Integers, queries: Integers, passages: Integers, rng: np.random.Generator) -> list[list[tuple[int, int]]]:
        """Hard negatives of each example, none of which is known to answer any query of the batch."""
        wanted = self._settings.negatives
        if not wanted:
            return []
        answers = {row for query in self._pairs.query[pairs].tolist() for row in self._answers.of(query)}
        answers.update(self._pairs.passage[pairs].tolist())
        ends = self._pairs.negative_ends
        result = []
        for pair, query, passage in zip(pairs.tolist(), queries.tolist(), passages.tolist(), strict=True):
            start = int(ends[pair - 1]) if pair else 0
            rows = [row for row in self._pairs.negative_rows[start : int(ends[pair])].tolist() if row not in answers]
            where = {"query": query, "passage": passage}.get(self._settings.negative_language, -1)
            result.append([(row, where if where >= 0 else int(rng.choice(self._bits))) for row in rows])
        return result

    def _bit(self, name: str, setting: str) -> int:
        return _bit(name, setting, self._languages)

    def _groups(self) -> dict[int, Alpha]:
        return {self._bit(name, "alpha_groups"): group for group in self._settings.alpha_groups for name in group.languages}

    def _allowed(self) -> Floats:
        """The weight of every ordered pair of different languages."""
        count = len(self._languages)
        weights = np.zeros(count)
        weights[self._bits] = [self._weight(bit) for bit in self._bits]
        table: Floats = np.outer(weights, weights) * ~np.eye(count, dtype=bool)
        if self._settings.allowed_pairs is not None:
            allowed = np.zeros((count, count))
            for query, passage in self._settings.allowed_pairs:
                allowed[self._bit(query, "allowed_pairs"), self._bit(passage, "allowed_pairs")] = 1
            table = table * allowed
        for query, passage in self._settings.denied_pairs:
            table[self._bit(query, "denied_pairs"), self._bit(passage, "denied_pairs")] = 0
        return table

    def _weight(self, bit: int) -> float:
        given = {self._bit(name, "language_weights"): value for name, value in self._settings.language_weights.items()}
        if any(value < 0 for value in given.values()):
            raise UserError("language_weights: a weight is negative")
        return given.get(bit, 1.0)

    def _shares_of_languages(self) -> Floats:
        shares = np.array([self._weight(bit) for bit in self._bits])
        temperature = self._settings.language_temperature
        if temperature is not None:
            shares = shares * np.array([self._survived(bit) for bit in self._bits]) ** (1 / temperature)
        return _normal(shares, "language_weights: no language is left")

    def _survived(self, bit: int) -> float:
        """Pairs of which both sides survived in a language."""
        if self._totals is not None:
            return float(self._totals.languages[self._languages[bit]])
        return float(((self._pairs.query_bits & self._pairs.passage_bits) >> bit & 1).sum())

    def _shares_of_sources(self) -> Floats:
        for name in self._settings.source_weights:
            if name not in self._sources:
                raise UserError(f"source_weights: {name!r} is no source of this release, which has {', '.join(self._sources)}")
        here = np.array([len(rows) for rows in self._rows])
        sizes = here if self._totals is None else np.array([self._totals.sources[name] for name in self._sources])
        capped = np.minimum(sizes, self._settings.source_cap or np.inf)
        weights = np.array([self._settings.source_weights.get(name, 1.0) for name in self._sources])
        if (weights < 0).any():
            raise UserError("source_weights: a weight is negative")
        powered = np.where(here > 0, capped ** (1 / self._settings.source_temperature), 0.0)
        return _normal(weights * powered, "this release has no pairs that could be drawn")

    def _check(self) -> None:
        """Try every kind of batch that may come, so that what cannot be drawn is known before the first."""
        kinds = self.kinds
        if CROSS_LINGUAL in kinds and not self._pair_weights.any():
            raise UserError("languages: cross-lingual batches need two languages that are allowed together; name more, or set alpha to 1")
        wanted = [(bit, bit) for bit in np.array(self._bits)[self._language_shares > 0].tolist()] if MONOLINGUAL in kinds else []
        if CROSS_LINGUAL in kinds:
            every = [(query, passage) for query, passage in np.argwhere(self._pair_weights).tolist()]
            wanted += every if self._settings.pairs_of == "batch" else [(-1, -1)]
        faults = []
        for source in np.flatnonzero(self._source_shares).tolist():
            try:
                self._try(source, wanted)
            except UserError as error:
                if self._totals is None:
                    raise
                faults.append(f"{self._sources[source]}: {error}")
                self._source_shares[source] = 0.0
        for fault in faults:
            log.warning("no batches of this source here: %s", fault)
        self._source_shares = _normal(self._source_shares, "; ".join(faults))

    @property
    def kinds(self) -> list[str]:
        """The kinds of batches that may come."""
        if self._settings.mode != "hybrid":
            return [self._settings.mode]
        values = [value for alpha in self._alphas.values() for value in (alpha.start, alpha.start if alpha.end is None else alpha.end)]
        return [kind for kind, may_come in ((MONOLINGUAL, max(values) > 0), (CROSS_LINGUAL, min(values) < 1)) if may_come]

    def _try(self, source: int, wanted: Sequence[Sequence[int]]) -> None:
        """Raise UserError where a source has too little for a batch in languages of query and passage."""
        rng = RANDOM.at(self._settings.seed, 2**64 - 1, 0)
        for query, passage in wanted:
            found = int(self._share(source, query, passage) * len(self._rows[source]))
            if self._totals is not None and found < 2 * self._settings.batch_size:  # nothing may be amiss when batches are drawn
                raise UserError(self._too_large(source, query, passage, found))
            self._pick(source, query, passage, rng)

    def _too_large(self, source: int, query: int, passage: int, found: int) -> str:
        kind = CROSS_LINGUAL if query != passage or query < 0 else f"{MONOLINGUAL} {self._languages[query]}"
        return (
            f"batch_size: {self._settings.batch_size} is more than {kind} batches of source {self._sources[source]!r} can hold "
            f"without a query or a passage twice ({found} distinct ones, as far as was looked); choose a smaller one"
        )


class _Answers:
    """The passages that are known to answer those queries that have several."""

    def __init__(self, queries: Integers, passages: Integers) -> None:
        counts = np.bincount(queries) if len(queries) else np.zeros(0, np.int64)
        self.several: Mask = counts > 1
        """Of each query row whether it has."""
        self.any_several = bool(self.several.any())
        pairs = np.flatnonzero(counts[queries] > 1)
        order = pairs[np.argsort(queries[pairs], kind="stable")]
        self._queries, self._passages = queries[order], passages[order]

    def of(self, query: int) -> list[int]:
        """The passages of a query that has several; none for another."""
        low, high = np.searchsorted(self._queries, (query, query + 1))
        rows: list[int] = self._passages[low:high].tolist()
        return rows


class _Random(threading.local):
    """Random numbers that are a function of (seed, epoch, step): Philox (Salmon et al. 2011) counts, and its counter can be set."""

    def __init__(self) -> None:
        self._bits = np.random.Philox(0)
        self._generator = np.random.Generator(self._bits)

    def at(self, seed: int, epoch: int, step: int) -> np.random.Generator:
        """The generator of this thread, set anew: a tenth of the time of making one."""
        counter, key = np.array([0, step, epoch, 0], np.uint64), np.array([seed, 0], np.uint64)
        self._bits.state = {
            "bit_generator": "Philox",
            "state": {"counter": counter, "key": key},
            "buffer": _EMPTY,
            "buffer_pos": len(_EMPTY),
            "has_uint32": 0,
            "uinteger": 0,
        }
        return self._generator


_EMPTY = np.zeros(4, np.uint64)
RANDOM = _Random()


class _Choice:
    """Draws numbers by weights."""

    def __init__(self, weights: Floats) -> None:
        self._ends = weights.cumsum()
        numbers = weights.nonzero()[0]
        self._even = numbers if len(set(weights[numbers].tolist())) == 1 else None
        """Where all weights are the same, which numbers have one: those are drawn faster."""

    def one(self, rng: np.random.Generator) -> int:
        return int(self._ends.searchsorted(rng.random() * self._ends[-1], side="right"))

    def many(self, shape: tuple[int, ...], rng: np.random.Generator) -> Integers:
        if self._even is not None:
            return self._even[(rng.random(shape) * len(self._even)).astype(np.int64)]
        return np.asarray(self._ends.searchsorted(rng.random(shape) * self._ends[-1], side="right"), dtype=np.int64)


def chosen_languages(names: Sequence[str] | None, languages: Sequence[str]) -> list[int]:
    """The numbers of the languages that are named, among those of a release; all if none are.

    Raises UserError where one is not in the release, or twice in `names`.
    """
    if names is None:
        return list(range(len(languages)))
    bits = [_bit(name, "languages", languages) for name in names]
    for name, bit in zip(names, bits, strict=True):
        if bits.count(bit) > 1:
            raise UserError(f"languages: {name} is given twice")
    if not bits:
        raise UserError("languages: name at least one")
    return bits


def _bit(name: str, setting: str, languages: Sequence[str]) -> int:
    code = LANGUAGES.find(name).code
    if code not in languages:
        raise UserError(f"{setting}: {code} is not in this release, which has {', '.join(languages)}")
    return languages.index(code)


def _normal(shares: Floats, otherwise: str) -> Floats:
    if not shares.sum() > 0:
        raise UserError(otherwise)
    return np.asarray(shares / shares.sum(), dtype=np.float64)
