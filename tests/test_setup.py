"""What has to be right before anything is installed: the lock for every Python that is allowed, and what `make` says where it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from parallel_qa.pipeline.settings import HOUSE

LOCK = HOUSE / "requirements.lock"
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = SpecifierSet(PROJECT["requires-python"])
MINORS = [f"3.{minor}.0" for minor in range(40) if PYTHONS.contains(f"3.{minor}.0")]
SOURCE_ONLY = ["langdetect", "jsonpath-rw"]
"""Pure Python that was never published as a wheel."""


def make(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *map(str, arguments)], cwd=HOUSE, env=environment, capture_output=True, text=True, check=False)


def test_the_lock_is_what_make_lock_writes(tmp_path: Path) -> None:
    """So it holds all that pyproject.toml asks for, each version for the Pythons that it is for. If not: `make lock`."""
    lock = Path(shutil.copy(LOCK, tmp_path))
    assert make("lock", f"LOCK={lock}", f"VENV={sys.prefix}").returncode == 0
    assert lock.read_text(encoding="utf-8") == LOCK.read_text(encoding="utf-8")


@pytest.mark.parametrize("version", [*MINORS, "3.11.2"])
def test_a_python_that_is_allowed_finds_all_of_the_lock_for_it_and_compiles_nothing(version: str) -> None:
    """3.11.2 is the one of Debian 12."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps", str(LOCK)]
    command += ["--python", sys.executable, "--python-version", version, "--only-binary", ":all:"]
    command += [argument for name in SOURCE_ONLY for argument in ("--no-binary", name)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    pins = Counter(pin.split("==")[0] for pin in found.stdout.splitlines())
    assert pins["torch"] == 1
    assert max(pins.values()) == 1


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("python", "remedy"),
    [
        (["exit 1"], "parallel-qa needs Python 3.11 to 3.14"),
        (
            ['[ "$1" = -c ] && exit 0', 'mkdir -p "$3/bin"', 'touch "$3/bin/python"', "exit 1"],
            "On Debian and Ubuntu: apt install python3-venv",
        ),
        (
            ['[ "$1" = -c ] && exit 0', 'mkdir -p "$3/bin"', 'echo "exit 1" > "$3/bin/python"', 'chmod +x "$3/bin/python"'],
            "If a version in requirements.lock is not to be had for this system: make LOCK= sample",
        ),
    ],
    ids=["too old", "without venv", "pip fails"],
)
def test_make_says_what_to_do_and_tries_again_the_next_time(python: list[str], remedy: str, tmp_path: Path) -> None:
    command = ("sample", f"PYTHON={script(tmp_path / 'python', *python)}", f"VENV={tmp_path / 'venv'}", f"STORE={tmp_path / 'store'}")
    for _ in range(2):
        done = make(*command)
        assert done.returncode == 2
        assert remedy in done.stderr
