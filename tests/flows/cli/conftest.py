from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tests.command_line import CommandLine
from tests.project import Project, article


@pytest.fixture(scope="session")
def cli(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("home"), PREFECT_API_URL.value())


def write_aldo(folder: Path) -> Project:
    """A project whose one source, `questions`, has one question that the sample model knows."""
    project = Project(folder)
    project.source(
        "questions", [article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")]
    )
    return project


@pytest.fixture
def aldo(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return write_aldo(tmp_path / "project")


@dataclass(frozen=True)
class FinishedRun:
    profile: Path
    store: Path


@pytest.fixture(scope="session")
def finished(cli: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run of the project of `aldo`, by the command; a test that changes the store works on a copy."""
    folder = tmp_path_factory.mktemp("finished")
    finished = FinishedRun(write_aldo(folder).profile(), folder / "store")
    result = cli.run("run", finished.profile, "--store", finished.store)
    assert (result.returncode, result.stderr.count("error")) == (0, 0), result.stderr
    return finished
