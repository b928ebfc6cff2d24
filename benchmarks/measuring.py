"""Measurements in processes of their own, so that one does not see the memory of another."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import Any

from parallel_qa.pipeline.settings import HOUSE


def run_alone(module: str, *arguments: object) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS…` and return its last line, which is JSON.

    What it prints besides is shown as it comes. Where it fails, so does the benchmark, with its error in sight.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HOUSE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    *shown, last = ended.stdout.splitlines() or [""]
    if shown:
        print(*shown, sep="\n", flush=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command[2:])} ended with exit code {ended.returncode}: {last}")
    measured: dict[str, Any] = json.loads(last)
    return measured


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def processor_seconds() -> float:
    """What this process and those that it has waited for have had of the processors: a shared machine changes it little."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
