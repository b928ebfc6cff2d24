from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from parallel_qa.pipeline.settings import HOUSE
from tests.benchmarks.running import figures_of


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Arguments that name an evaluation set, the sample's, and sentences that have nothing to do with it."""
    evaluation, sentences = tmp_path / "evaluation.json.gz", tmp_path / "sentences.gz"
    evaluation.write_bytes(gzip.compress((HOUSE / "pipeline" / "sample" / "data" / "questions.json").read_bytes()))
    draw = random.Random(0)
    words = ["".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(3)) for _ in range(2000)]
    lines = "\n".join(" ".join(draw.choices(words, k=20)) for _ in range(500))
    sentences.write_bytes(gzip.compress(lines.encode()))
    return ["--evaluation", str(evaluation), "--sentences", str(sentences)]


def test_decontamination_and_cost_at_a_hundredth(texts: list[str]) -> None:
    figures = figures_of("sources", "--rows", "50000", "--unrelated", "300", *texts)
    recalls = {"recall_paragraph", "recall_half_paragraph"}
    assert figures.keys() == recalls | {"false_hits_per_10k", "peak_mb_5m", "cost_per_row_ratio", "wall_per_row_ratio"}
    assert all(0.9 < figures[name] <= 1 for name in recalls)
    assert 0 <= figures["false_hits_per_10k"] <= 1e4
    assert 200 < figures["peak_mb_5m"] < 2000
    assert min(figures["cost_per_row_ratio"], figures["wall_per_row_ratio"]) > 0


def test_a_join_at_a_hundredth() -> None:
    figures = figures_of("sources", "--join", "--questions", "4000", "--passages", "20000", "--negatives", "16")
    assert figures.keys() == {"join_peak_mb", "rows"}
    assert figures["rows"] == 4000
    assert 100 < figures["join_peak_mb"] < 2000


def test_why_a_measurement_failed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_QA_MEMORY_MB", "1")
    with pytest.raises(AssertionError, match=r"environment: PARALLEL_QA_MEMORY_MB: Input should be [\s\S]+ ended with exit code 1"):
        figures_of("sources", "--join", "--questions", "10", "--passages", "10")
