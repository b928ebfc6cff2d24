from __future__ import annotations

import pytest

from tests.benchmarks.running import figures_of


def test_it_measures_batches_of_a_hundredth() -> None:
    for library in ("torch", "sentence_transformers"):
        pytest.importorskip(library)
    measured = figures_of("batches", "--pairs", "20000", "--passages", "4000", "--batches", "4")
    assert set(measured) == {"over_sentence_transformers", "over_arrow_take", "first_batch_s", "rss_growth_mb", "cost_ratio"}
    assert measured["over_sentence_transformers"] > 0
    assert measured["over_arrow_take"] > 0
    assert measured["first_batch_s"] > 0
    assert 0 < measured["rss_growth_mb"] < 500
    assert measured["cost_ratio"] > 0
