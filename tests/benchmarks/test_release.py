from __future__ import annotations

from tests.benchmarks.running import figures_of


def test_it_measures_a_build_of_a_hundredth() -> None:
    measured = figures_of("release", "--pairs", "20000", "--passages", "4000", "--languages", "2", "--sentences", "4")
    assert set(measured) == {"over_bare_write", "peak_mb", "peak_mb_ratio", "size_over_flat"}
    assert measured["over_bare_write"] > 0
    assert 100 < measured["peak_mb"] < 2000
    assert 0.9 < measured["peak_mb_ratio"] < 2
    assert 0.1 < measured["size_over_flat"] < 1
