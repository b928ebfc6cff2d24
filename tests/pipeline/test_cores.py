from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_qa.pipeline.cores import available_cores

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("content", "cores"),
    [("max 100000\n", ALLOWED), ("100000 100000\n", 1), ("50000 100000\n", 1), ("6400000 100000\n", ALLOWED), ("nonsense\n", ALLOWED)],
)
def test_a_quota_of_the_control_group_counts(tmp_path: Path, content: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert available_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1\n", ALLOWED), ("100000\n", 1), ("20000\n", 1)])
def test_so_does_one_of_the_first_version(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_may_run_on_one_core_has_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from parallel_qa.pipeline.cores import available_cores; print(available_cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"
