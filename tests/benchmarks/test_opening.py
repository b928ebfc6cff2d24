from __future__ import annotations

import json
import subprocess
import sys

from parallel_qa.pipeline.settings import HOUSE


def test_it_measures_opening_a_hundredth() -> None:
    command = [sys.executable, "-m", "benchmarks.opening", "--pairs", "100000", "--passages", "20000"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    measured = json.loads(ended.stdout.splitlines()[-1])
    assert set(measured) == {"open_peak_mb", "open_s", "cache_peak_mb"}
    assert 50 < measured["open_peak_mb"] < measured["cache_peak_mb"] < 1000
    assert measured["open_s"] > 0
