from __future__ import annotations

from tests.benchmarks.running import figures_of


def test_scale_at_a_hundredth() -> None:
    stages = figures_of("scale", "--sentences", "1000", "30000", "--only", "stages")
    assert stages.keys() == {"noop_reads_per_unit", "noop_cost_ratio", "scored_input_ratio", "stage_cost_ratio", "peak_mb", "peak_ratio"}
    assert 0 < stages["noop_reads_per_unit"] < 5  # a small store has few units for its folders
    assert 1 < stages["scored_input_ratio"] <= 2.5
    assert 50 < stages["peak_mb"] < 1500
    assert 0 < stages["peak_ratio"] <= 1.5
    assert min(stages.values()) > 0


def test_joining_and_opening_are_among_its_figures() -> None:
    rest = figures_of("scale", "--join", "400", "2000", "16", "--open", "20000", "4000", "--only", "rest")
    assert rest.keys() == {"join_peak_mb", "open_peak_mb", "open_s", "cache_peak_mb"}
    assert 50 < rest["join_peak_mb"] < 2000
    assert 50 < rest["open_peak_mb"] < 1500
    assert 50 < rest["cache_peak_mb"] < 2000
