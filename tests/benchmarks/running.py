"""Benchmarks as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from parallel_qa.pipeline.settings import HOUSE


def figures_of(name: str, *arguments: str) -> dict[str, Any]:
    """The last line of `python -m benchmarks.NAME ARGUMENTS…`."""
    ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures
