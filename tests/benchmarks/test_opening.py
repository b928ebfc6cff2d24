from __future__ import annotations

from tests.benchmarks.running import figures_of


def test_it_measures_opening_a_hundredth() -> None:
    measured = figures_of("opening", "--pairs", "100000", "--passages", "20000")
    assert set(measured) == {"open_peak_mb", "open_s", "cache_peak_mb"}
    assert 50 < measured["open_peak_mb"] < measured["cache_peak_mb"] < 1000
    assert measured["open_s"] > 0
