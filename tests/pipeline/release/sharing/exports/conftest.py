from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

PACKAGES = ["FlagEmbedding==1.4.2", "beir==2.2.0", "mteb==2.26.24", "ir-datasets==0.6.3", "peft==0.21.2", "pytrec-eval-terrier==0.5.11"]
"""The readers and what they import that is not there for the tests; without the rest of what they name, such as PyTorch once more."""

ReadBack = Callable[..., Any]


@pytest.fixture(scope="session")
def read_back(tmp_path_factory: pytest.TempPathFactory) -> ReadBack:
    """What the library of a format has of an export, in a process of its own; its packages are installed once for this environment."""
    key = hashlib.sha256(f"{PACKAGES} {sys.version}".encode()).hexdigest()[:12]
    packages = Path(sys.prefix) / f"export-readers-{key}"
    with FileLock(f"{packages}.lock"):
        if not packages.exists():
            making = packages.with_suffix(".part")
            shutil.rmtree(making, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries=2"]
            installed = subprocess.run([*pip, "--target", making, *PACKAGES], capture_output=True, text=True)
            if installed.returncode:
                pytest.skip(f"the readers of exports cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
            making.rename(packages)
    cache = str(tmp_path_factory.mktemp("readers"))
    environment = {"PYTHONPATH": str(packages), "HF_HOME": cache, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

    def read(*arguments: object) -> Any:
        program = [sys.executable, Path(__file__).with_name("read_back.py"), *map(str, arguments)]
        done = subprocess.run(program, capture_output=True, text=True, env={**os.environ, **environment})
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return read
