"""Scored texts to look at, with their English, what a person thinks of them, and how many texts of the run each stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.store import Store


@dataclass(frozen=True)
class ScoredSample:
    """Scored texts and the same rows in English, of which `good` says what a person thinks, where one was asked."""

    scored: pa.Table
    english: pa.Table
    good: NDArray[np.bool_] | None = None
    """Which rows are good; all where None."""
    weights: NDArray[np.float64] | None = None
    """How many texts of the run each row stands for: 0 for one that was not drawn at random; 1 for all where None."""

    def take(self, rows: NDArray[np.bool_]) -> ScoredSample:
        """The rows that `rows` picks."""
        mask = pa.array(rows)
        good = None if self.good is None else self.good[rows]
        weights = None if self.weights is None else self.weights[rows]
        return ScoredSample(self.scored.filter(mask), self.english.filter(mask), good, weights)

    @property
    def is_good(self) -> NDArray[np.bool_]:
        """For each row whether it is good; it is where nobody was asked."""
        return np.ones(len(self.scored), dtype=bool) if self.good is None else self.good

    @property
    def row_weights(self) -> NDArray[np.float64]:
        """For each row how many texts it stands for."""
        return np.ones(len(self.scored)) if self.weights is None else self.weights


def read_sample(shard: ScoredShard, store: Store) -> ScoredSample:
    """All texts of a shard."""
    return ScoredSample(shard.read(store), shard.english(store))


def concatenate(samples: Sequence[ScoredSample]) -> ScoredSample:
    """Several samples as one; they may be of questions and of passages."""
    judged = any(sample.good is not None for sample in samples)
    scored = pa.concat_tables([sample.scored.select(["text", *schema.SCORES.names]) for sample in samples])
    english = pa.concat_tables([sample.english.select(["text"]) for sample in samples])
    good = np.concatenate([sample.is_good for sample in samples]) if judged else None
    return ScoredSample(scored, english, good, np.concatenate([sample.row_weights for sample in samples]))
