from __future__ import annotations

import json
import subprocess
import sys

import pytest

from parallel_qa.pipeline.settings import HOUSE


def test_it_measures_batches_of_a_hundredth() -> None:
    for library in ("torch", "sentence_transformers"):
        pytest.importorskip(library)
    command = [sys.executable, "-m", "benchmarks.batches", "--pairs", "20000", "--passages", "4000", "--batches", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    measured = json.loads(ended.stdout.splitlines()[-1])
    assert set(measured) == {"over_sentence_transformers", "over_arrow_take", "first_batch_s", "rss_growth_mb", "cost_ratio"}
    assert measured["over_sentence_transformers"] > 0
    assert measured["over_arrow_take"] > 0
    assert measured["first_batch_s"] > 0
    assert 0 < measured["rss_growth_mb"] < 500
    assert measured["cost_ratio"] > 0
