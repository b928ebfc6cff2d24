from __future__ import annotations

import json
import subprocess
import sys

from parallel_qa.pipeline.settings import HOUSE


def test_it_measures_a_build_of_a_hundredth() -> None:
    command = [sys.executable, "-m", "benchmarks.release", "--pairs", "20000", "--passages", "4000", "--languages", "2", "--sentences", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    measured = json.loads(ended.stdout.splitlines()[-1])
    assert set(measured) == {"over_bare_write", "peak_mb", "peak_mb_ratio", "size_over_flat"}
    assert measured["over_bare_write"] > 0
    assert 100 < measured["peak_mb"] < 2000
    assert 0.9 < measured["peak_mb_ratio"] < 2
    assert 0.1 < measured["size_over_flat"] < 1
