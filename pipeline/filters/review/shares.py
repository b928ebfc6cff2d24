"""The share of a run's texts that is kept, estimated from some of them, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NORMAL = 1.959964
"""Of a normal distribution 95 % lie within so many standard deviations."""


@dataclass(frozen=True)
class Share:
    """A share with the ends of its interval of 95 %; they are equal to it where nothing is uncertain."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        text = f"{self.value:.1%}"
        return text if self.low == self.high else f"{text} ({self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class StratumCounts:
    """What was looked at of texts that were drawn together, such as those of one source in one language."""

    weight: float
    """How many texts of the run each that was looked at stands for."""
    counted: NDArray[np.float64]
    """How many texts count, by the groups in which they were drawn: shards, or single texts."""
    kept: NDArray[np.float64]
    """How many of these are kept."""
    complete: bool = False
    """Whether these are all texts of the stratum, so that nothing about it is uncertain."""


def estimated_share(strata: Sequence[StratumCounts]) -> Share | None:
    """The share kept of the texts that count, over all strata by their weights; None where none counts.

    The interval is Wilson's, for as many texts as would be as certain had each been drawn by itself (Korn and Graubard 1998:
    the effective sample size). It follows from the linearized variance of a ratio between the groups of each stratum (Cochran,
    Sampling Techniques, 1977, section 11.11), and is never above Kish's, of the weights alone.
    """
    total = sum(stratum.weight * float(stratum.counted.sum()) for stratum in strata)
    if total <= 0:
        return None
    share = min(sum(stratum.weight * float(stratum.kept.sum()) for stratum in strata) / total, 1.0)
    if all(stratum.complete for stratum in strata):
        return Share(share, share, share)
    effective = total**2 / sum(stratum.weight**2 * float(stratum.counted.sum()) for stratum in strata)
    variance = sum(_variance(stratum, share, total) for stratum in strata if not stratum.complete)
    if 0.0 < share < 1.0 and variance > 0.0:
        effective = min(effective, share * (1.0 - share) / variance)
    return Share(share, *wilson(share, effective))


def wilson(share: float, texts: float) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share seen in so many texts (Wilson 1927)."""
    squared = _NORMAL**2 / texts
    middle = (share + squared / 2) / (1 + squared)
    half = _NORMAL / (1 + squared) * math.sqrt(share * (1 - share) / texts + squared / (4 * texts))
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def _variance(stratum: StratumCounts, share: float, total: float) -> float:
    """What a stratum adds to the variance of the ratio; a group that is alone differs from the ratio itself."""
    residuals = stratum.weight * (stratum.kept - share * stratum.counted) / total
    groups = len(residuals)
    if groups < 2:
        return float(np.sum(residuals**2))
    return groups / (groups - 1) * float(np.sum((residuals - residuals.mean()) ** 2))
