from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from pipeline.settings import HOUSE
from pipeline.store import Store
from tests.project import Project

REAL_DATA = HOUSE.parent / "shared" / "data"
"""Real data beside the checkout; tests that need it skip where it is absent."""


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def xquad() -> Path:
    folder = REAL_DATA / "xquad-r"
    if not folder.is_dir():
        pytest.skip("real XQuAD-R is not beside this checkout (shared/data/xquad-r)")
    return folder


@pytest.fixture(scope="session")
def flores() -> Path:
    folder = REAL_DATA / "flores-nllb"
    if not folder.is_dir():
        pytest.skip("real NLLB output is not beside this checkout (shared/data/flores-nllb)")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def sample_articles() -> Callable[[int], list[dict[str, object]]]:
    """The first so many articles of the sample question set."""
    document = json.loads((HOUSE / "pipeline/sample/data/questions.json").read_text(encoding="utf-8"))
    return lambda count: document["data"][:count]
