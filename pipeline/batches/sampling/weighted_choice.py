"""Numbers drawn by weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.batches.links import Integers
from parallel_qa.pipeline.errors import UserError

Floats = NDArray[np.float64]


class WeightedChoice:
    """Draws numbers from 0 on, each as often as its weight says."""

    def __init__(self, weights: Floats) -> None:
        self._ends = weights.cumsum()
        numbers = weights.nonzero()[0]
        self._even = numbers if len(set(weights[numbers].tolist())) == 1 else None
        """Where all weights are the same, which numbers have one: those are drawn faster."""

    def draw_number(self, rng: np.random.Generator) -> int:
        return int(self._ends.searchsorted(rng.random() * self._ends[-1], side="right"))

    def draw_array(self, shape: tuple[int, ...], rng: np.random.Generator) -> Integers:
        if self._even is not None:
            return self._even[(rng.random(shape) * len(self._even)).astype(np.int64)]
        return np.asarray(self._ends.searchsorted(rng.random(shape) * self._ends[-1], side="right"), dtype=np.int64)


def normalised(weights: Floats, otherwise: str) -> Floats:
    """The weights with a sum of 1. Raises UserError with the message `otherwise` where none is above 0."""
    if not weights.sum() > 0:
        raise UserError(otherwise)
    return np.asarray(weights / weights.sum(), dtype=np.float64)
