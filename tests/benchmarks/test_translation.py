from __future__ import annotations

from parallel_qa.pipeline.settings import HOUSE
from tests.benchmarks.running import figures_of


def test_translation_at_a_hundredth() -> None:
    text = HOUSE / "pipeline" / "sample" / "data" / "questions.json"
    figures = figures_of("translation", "--text", str(text), "--paragraphs", "3", "--rounds", "1", "--tokens", "4")
    names = {"stage_over_engine", "stage_over_transformers", "stage_over_row_by_row", "two_workers_over_one"}
    assert figures.keys() == names | {"two_threads_over_one_in_engine"}
    assert min(figures.values()) > 0
