from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.review.shares import Share, StratumCounts, estimated_share, wilson


def counts(weight: float, counted: list[float], kept: list[float], complete: bool = False) -> StratumCounts:
    return StratumCounts(weight, np.array(counted), np.array(kept), complete)


def test_strata_count_by_the_texts_that_they_stand_for() -> None:
    share = estimated_share([counts(90.0, [10], [9]), counts(10.0, [10], [1])])
    assert share is not None
    assert share.value == pytest.approx((90 * 9 + 10 * 1) / 1000)
    assert 0 < share.low < share.value < share.high < 1


def test_what_was_looked_at_as_a_whole_is_certain() -> None:
    assert estimated_share([counts(1.0, [10, 20], [5, 10], complete=True)]) == Share(0.5, 0.5, 0.5)
    assert str(Share(0.5, 0.5, 0.5)) == "50.0%"
    assert str(Share(0.5, 0.4, 0.6)) == "50.0% (40.0% to 60.0%)"


def test_of_nothing_there_is_no_share() -> None:
    assert estimated_share([]) is None
    assert estimated_share([counts(3.0, [0, 0], [0, 0])]) is None


def test_wilsons_interval_is_that_of_the_literature() -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29."""
    for kept, texts, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert wilson(kept / texts, texts) == pytest.approx((low, high), abs=5e-5)


def test_texts_of_a_shard_that_are_alike_make_the_interval_wider() -> None:
    mixed = estimated_share([counts(10.0, [100] * 8, [50] * 8)])
    alike = estimated_share([counts(10.0, [100] * 8, [100, 0] * 4)])
    assert mixed is not None and alike is not None and mixed.value == alike.value == 0.5
    assert mixed.high - mixed.low == pytest.approx(0.069, abs=0.001)  # as of 800 texts drawn one by one
    assert alike.high - alike.low > 0.5  # as of eight


@given(st.lists(st.tuples(st.floats(1, 1e6), st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=6)), max_size=5))
def test_a_share_lies_in_its_interval(drawn: list[tuple[float, list[tuple[int, float]]]]) -> None:
    strata = [counts(weight, [n for n, _ in groups], [float(round(n * part)) for n, part in groups]) for weight, groups in drawn]
    share = estimated_share(strata)
    if share is not None:
        assert 0 <= share.low <= share.value <= share.high <= 1
        assert share.low < share.high


def test_the_interval_holds_the_truth_in_nineteen_of_twenty_draws() -> None:
    """Of three strata of forty shards each, whose shares differ from shard to shard, eight shards and fifty texts of each."""
    chance = np.random.default_rng(7)
    shares = [np.clip(chance.normal(middle, 0.05, 40), 0, 1) for middle in (0.95, 0.85, 0.6)]
    sizes = (40_000, 10_000, 4_000)
    truth = sum(size * of_shards.mean() for size, of_shards in zip(sizes, shares, strict=True)) / sum(sizes)
    held = 0
    for _ in range(1_000):
        strata = [
            StratumCounts(size / 400, np.full(8, 50.0), chance.binomial(50, chance.choice(of_shards, 8, replace=False)).astype(float))
            for size, of_shards in zip(sizes, shares, strict=True)
        ]
        share = estimated_share(strata)
        assert share is not None
        held += share.low <= truth <= share.high
    assert held >= 925
