from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from parallel_qa.pipeline.settings import HOUSE
from tests.conftest import REAL_DATA


def measure(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.filters", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)


def test_it_measures_a_hundredth_of_the_texts(flores: Path, xquad: Path) -> None:
    ended = measure("--data", REAL_DATA, "--share", 0.01)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert set(figures) == {"time_over_langdetect", "measured_per_s", "compared_per_s", "language", "roundtrip"}
    assert 0 < figures["time_over_langdetect"] < 10
    assert figures["measured_per_s"] > 0 and figures["compared_per_s"] > 0
    language, round_trip = figures["language"], figures["roundtrip"]
    mixed = {"copy", "wrong", "half", "head", "tail"}
    broken = {"shuffled", "half_missing", "quarter_missing", "loop", "number_changed", "entity_swapped"}
    assert set(language) == {"false_reject"} | {f"false_accept_{case}" for case in mixed}
    assert set(round_trip) == {"false_reject"} | broken
    assert language["false_accept_copy"] == round_trip["loop"] == 0
    assert language["false_reject"] < 2 and language["false_accept_wrong"] < 2 and language["false_accept_tail"] < 25
    assert round_trip["false_reject"] < 25 and round_trip["shuffled"] < 5 and round_trip["half_missing"] < 10


def test_a_folder_without_texts_is_named(tmp_path: Path) -> None:
    ended = measure("--data", tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.strip() == f"{tmp_path} holds neither flores-nllb nor xquad-r"
