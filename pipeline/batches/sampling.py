"""Which pairs and languages make a batch: a pure function of (release, settings, seed, step)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.batches.release import OpenRelease

Kind = Literal["monolingual", "cross-lingual"]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Queries and their positive passages, example by example; every list has `batch_size` items."""

    kind: Kind
    source: str
    queries: list[str]
    passages: list[str]
    query_languages: list[str]  # NLLB codes
    passage_languages: list[str]
    pair_rows: list[int]  # rows of the release's table `pairs`
    query_rows: list[int]
    passage_rows: list[int]


@dataclass(frozen=True)
class _Choice:
    """One way to draw a batch: a source, a kind, for monolingual batches a language, and the pairs that fit."""

    kind: Kind
    source: str
    language: int | None  # a bit
    pairs: Integers


class Sampler:
    """Draws batches by the rules of arXiv 2408.10536.

    A source is drawn with probability proportional to its pairs, then the kind of batch, then for a
    monolingual batch a language, uniformly; in a cross-lingual batch each example's ordered pair of
    different languages is drawn uniformly from those in which it survived.
    """

    def __init__(
        self,
        release: OpenRelease,
        alpha: float,
        languages: list[str],
        batch_size: int,
        seed: int,
        query_prefix: str = "",
        passage_prefix: str = "",
    ) -> None:
        if not 0 <= alpha <= 1:
            raise UserError(f"alpha: {alpha} is not between 0 and 1")
        if batch_size < 1:
            raise UserError(f"batch_size: {batch_size} is not a positive number")
        if alpha < 1 and len(languages) < 2:
            raise UserError("languages: cross-lingual batches need two languages; name more, or set alpha to 1")
        self._release = release
        self._alpha = alpha
        self._bits = [release.languages.index(code) for code in languages]
        self._size = batch_size
        self._seed = seed
        self._prefixes = (query_prefix, passage_prefix)
        self._columns = release.pair_columns()
        self._choices = self._plan()

    def batches(self, start: int, steps: int | None) -> Iterator[Batch]:
        numbers = itertools.count(start) if steps is None else range(start, start + steps)
        return map(self.batch, numbers)

    def batch(self, step: int) -> Batch:
        """Batch number `step`."""
        rng = np.random.default_rng([self._seed, step])
        sources = list(self._choices)
        sizes = np.array([self._source_sizes[source] for source in sources], dtype=float)
        source = sources[int(rng.choice(len(sources), p=sizes / sizes.sum()))]
        kind: Kind = "monolingual" if rng.random() < self._alpha else "cross-lingual"
        choices = self._choices[source][kind]
        choice = choices[int(rng.integers(len(choices)))]
        pairs = self._draw_pairs(choice.pairs, rng)
        if pairs is None:
            raise UserError(self._too_large(choice))
        if choice.language is None:
            languages = [self._draw_languages(int(pair), rng) for pair in pairs]
        else:
            languages = [(choice.language, choice.language)] * len(pairs)
        return self._read(choice, pairs, languages)

    def _plan(self) -> dict[str, dict[Kind, list[_Choice]]]:
        """All choices by source and kind; raises UserError where one cannot fill a batch."""
        names = self._release.pairs["source"].to_numpy(zero_copy_only=False)
        query_langs, passage_langs = self._columns["query_langs"], self._columns["passage_langs"]
        shares: dict[Kind, float] = {"monolingual": self._alpha, "cross-lingual": 1 - self._alpha}
        kinds = [kind for kind, share in shares.items() if share > 0]
        plan: dict[str, dict[Kind, list[_Choice]]] = {}
        self._source_sizes: dict[str, int] = {}
        for source in self._release.manifest["sources"]:
            mine = names == source
            self._source_sizes[source] = int(mine.sum())
            if not mine.any():
                continue
            plan[source] = {kind: [] for kind in kinds}
            if "monolingual" in kinds:
                for bit in self._bits:
                    survived = (query_langs >> bit) & (passage_langs >> bit) & 1
                    plan[source]["monolingual"].append(_Choice("monolingual", source, bit, np.flatnonzero(mine & (survived == 1))))
            if "cross-lingual" in kinds:
                mask = np.int64(sum(1 << bit for bit in self._bits))
                queries, passages = query_langs & mask, passage_langs & mask
                # Two different languages can be had unless a side has none, or both have the same single one.
                single = (queries & (queries - 1)) == 0
                possible = (queries != 0) & (passages != 0) & ~(single & (queries == passages))
                plan[source]["cross-lingual"].append(_Choice("cross-lingual", source, None, np.flatnonzero(mine & possible)))
        if not plan:
            raise UserError("this release has no pairs")
        rng = np.random.default_rng([self._seed, 0])
        for choice in itertools.chain.from_iterable(itertools.chain.from_iterable(kinds.values()) for kinds in plan.values()):
            if self._draw_pairs(choice.pairs, rng) is None:
                raise UserError(self._too_large(choice))
        return plan

    def _too_large(self, choice: _Choice) -> str:
        where = choice.kind if choice.language is None else f"{choice.kind} {self._release.languages[choice.language]}"
        distinct = min(len(np.unique(self._columns[name][choice.pairs])) for name in ("query_row", "passage_row"))
        return (
            f"batch_size: {self._size} is more than {where} batches of source {choice.source!r} can hold "
            f"without a query or a passage twice ({distinct} distinct ones at most); choose a smaller one"
        )

    def _draw_pairs(self, pairs: Integers, rng: np.random.Generator) -> Integers | None:
        """`batch_size` of `pairs`, uniformly, no two with the same query or passage; None where there are not so many."""
        queries: set[int] = set()
        passages: set[int] = set()
        drawn: list[int] = []
        for candidates in self._candidates(pairs, rng):
            for pair in candidates:
                query, passage = int(self._columns["query_row"][pair]), int(self._columns["passage_row"][pair])
                if query in queries or passage in passages:
                    continue
                queries.add(query)
                passages.add(passage)
                drawn.append(int(pair))
                if len(drawn) == self._size:
                    return np.array(drawn, dtype=np.int64)
        return None

    def _candidates(self, pairs: Integers, rng: np.random.Generator) -> Iterator[Integers]:
        # A few random draws fill a batch from a large source; only a small one is shuffled as a whole.
        if len(pairs) > 16 * self._size:
            yield pairs[rng.integers(len(pairs), size=4 * self._size)]
        yield rng.permutation(pairs)

    def _draw_languages(self, pair: int, rng: np.random.Generator) -> tuple[int, int]:
        query_langs, passage_langs = (int(self._columns[name][pair]) for name in ("query_langs", "passage_langs"))
        combinations = [
            (query, passage)
            for query in self._bits
            for passage in self._bits
            if query != passage and query_langs >> query & 1 and passage_langs >> passage & 1
        ]
        return combinations[int(rng.integers(len(combinations)))]

    def _read(self, choice: _Choice, pairs: Integers, languages: list[tuple[int, int]]) -> Batch:
        query_rows, passage_rows = self._columns["query_row"][pairs], self._columns["passage_row"][pairs]
        codes = self._release.languages
        query_languages = [codes[query] for query, _ in languages]
        passage_languages = [codes[passage] for _, passage in languages]
        return Batch(
            choice.kind,
            choice.source,
            [self._prefixes[0] + text for text in self._texts("queries", query_rows, query_languages)],
            [self._prefixes[1] + text for text in self._texts("passages", passage_rows, passage_languages)],
            query_languages,
            passage_languages,
            pairs.tolist(),
            query_rows.tolist(),
            passage_rows.tolist(),
        )

    def _texts(self, table: str, rows: Integers, languages: list[str]) -> list[str]:
        """The text of each row in its language, a passage's title before it."""
        texts = [""] * len(rows)
        for language in dict.fromkeys(languages):
            places = [place for place, code in enumerate(languages) if code == language]
            found = self._release.texts(table, language).take(pa.array(rows[places])).to_pylist()
            for place, row in zip(places, found, strict=True):
                texts[place] = f"{row['title']}: {row['text']}" if row.get("title") else row["text"]
        return texts
