"""The flow `translate` on more than one worker gives the bytes of a single run, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parallel_qa.flows.translate import translate as flow
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE, Settings
from parallel_qa.pipeline.sources.prepare import download
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.translate import part_of, translate, units
from parallel_qa.pipeline.work import Outcome
from tests.project import Project, article

WORKER = """
import sys
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.translate import translate
translate(load_settings(sys.argv[1]), Store(sys.argv[2]), part=sys.argv[3])
"""


@pytest.fixture
def settings(project: Project) -> Settings:
    towns = [f"Marlo is a small town in the north of Orso. It has about {number} inhabitants." for number in range(1000, 1120)]
    project.source("questions", [article(town, (f"What is known of {number}?", "Marlo")) for number, town in enumerate(towns)])
    return project.settings(languages=["de", "es"], translation={"shard_sentences": 30, "inter_threads": 1, "max_batch_tokens": 256})


def contents(folder: Path) -> dict[str, bytes]:
    """The data files below `folder`; records hold times, which differ."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


@pytest.fixture
def expected(settings: Settings, tmp_path: Path) -> dict[str, bytes]:
    """What one worker makes alone."""
    store = Store(str(tmp_path / "single"))
    download(settings, store)
    translate(settings, store)
    return contents(tmp_path / "single")


def test_two_workers_one_of_them_killed_make_what_one_makes(
    settings: Settings, project: Project, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    folder = tmp_path / "shared"
    store = Store(str(folder))
    download(settings, store)
    command = [sys.executable, "-c", WORKER, str(project.folder / "profile.yaml"), str(folder)]
    workers = [subprocess.Popen([*command, part], cwd=HOUSE) for part in ("1/2", "2/2")]
    deadline = time.monotonic() + 120
    while not list(folder.rglob("back_translated/**/record.json")):
        assert time.monotonic() < deadline and workers[1].poll() is None
        time.sleep(0.02)
    os.kill(workers[1].pid, signal.SIGKILL)
    assert workers[0].wait(timeout=120) == 0
    assert workers[1].wait(timeout=10) == -signal.SIGKILL
    missing = [unit for unit in units(settings, store) if not unit.done(store)]
    again = translate(settings, store)
    assert again.done == len(missing) < again.done + again.skipped
    made = contents(folder)
    assert {name: content for name, content in made.items() if name in expected} == expected


def test_parts_are_all_of_the_work(settings: Settings, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    download(settings, store)
    translate(settings, store, part="1/1")
    planned = units(settings, store)
    assert len(planned) > 8
    parts = [part_of(planned, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(unit.path for part in parts for unit in part) == sorted(unit.path for unit in planned)
    for wrong in ("0/2", "3/2", "2", "a/b"):
        with pytest.raises(UserError, match="is no part of the work: write 1/2 and 2/2 for two workers"):
            part_of(planned, wrong)


def test_on_dask(prefect_server: None, settings: Settings, project: Project, tmp_path: Path, expected: dict[str, bytes]) -> None:
    folder = tmp_path / "dask"
    download(settings, Store(str(folder)))
    outcome = flow(str(project.folder / "profile.yaml"), str(folder), runner="dask")
    assert isinstance(outcome, Outcome) and outcome.done == len(units(settings, Store(str(folder)))) + 1
    assert contents(folder) == expected


def test_an_unknown_runner_is_named(prefect_server: None, settings: Settings, project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runner: 'spark' is none of threads, dask, ray \(and processes, to filter\)"):
        flow(str(project.folder / "profile.yaml"), str(tmp_path / "store"), runner="spark")
