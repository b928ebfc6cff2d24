"""The language that went wrong where the others did not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.filters.checks.witnesses import LEAST_WITNESSES

ScoreArray = NDArray[np.float64]
"""A score of the same texts, NaN where there is none."""


def chrf_outliers(own: ScoreArray, others: Sequence[ScoreArray]) -> ScoreArray:
    """For each text its chrF less the median of the other languages' chrF: far below 0 where this one alone went wrong.

    NaN where fewer than three others have a score: what is hard to say back is so in every language.
    """
    return own - _median_of_others(len(own), others)


def length_outliers(own: ScoreArray, others: Sequence[ScoreArray]) -> ScoreArray:
    """For each text its length ratio by the median of the other languages'; NaN where fewer than three have one."""
    return own / np.maximum(_median_of_others(len(own), others), 1e-6)


def _median_of_others(rows: int, others: Sequence[ScoreArray]) -> ScoreArray:
    if len(others) < LEAST_WITNESSES:
        return np.full(rows, np.nan)
    table = np.stack(others)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a text that no other language has
        median = np.nanmedian(table, axis=0)
    return np.where((~np.isnan(table)).sum(axis=0) >= LEAST_WITNESSES, median, np.nan)
