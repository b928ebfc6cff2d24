"""Scored texts to look at, with their English and what a person thinks of them."""

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

    def take(self, rows: NDArray[np.bool_]) -> ScoredSample:
        """The rows that `rows` picks."""
        mask = pa.array(rows)
        return ScoredSample(self.scored.filter(mask), self.english.filter(mask), None if self.good is None else self.good[rows])

    @property
    def is_good(self) -> NDArray[np.bool_]:
        """For each row whether it is good; it is where nobody was asked."""
        return np.ones(len(self.scored), dtype=bool) if self.good is None else self.good


def read_sample(shard: ScoredShard, store: Store) -> ScoredSample:
    """All texts of a shard."""
    return ScoredSample(shard.read(store), shard.english(store))


def concatenate(samples: Sequence[ScoredSample]) -> ScoredSample:
    """Several samples as one; they may be of questions and of passages."""
    judged = any(sample.good is not None for sample in samples)
    scored = pa.concat_tables([sample.scored.select(["text", *schema.SCORES.names]) for sample in samples])
    english = pa.concat_tables([sample.english.select(["text"]) for sample in samples])
    return ScoredSample(scored, english, np.concatenate([sample.is_good for sample in samples]) if judged else None)
