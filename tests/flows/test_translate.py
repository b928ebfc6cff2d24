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
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare, translate
from parallel_qa.pipeline.settings import HOUSE, Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome, Unit
from tests.project import Project, article

WORKER = """
import sys
from parallel_qa.pipeline.planning.stages import translate
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
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


def packs(plan: Plan) -> list[Unit]:
    """The units of all sources and languages."""
    return [unit for units in plan.translated.values() for unit in units]


@pytest.fixture
def expected(settings: Settings, tmp_path: Path) -> dict[str, bytes]:
    """What one worker makes alone."""
    store = Store(str(tmp_path / "single"))
    prepare(settings, store)
    translate(settings, store)
    return contents(tmp_path / "single")


def test_two_workers_one_of_them_killed_make_what_one_makes(
    settings: Settings, project: Project, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    folder = tmp_path / "shared"
    store = Store(str(folder))
    prepare(settings, store)
    command = [sys.executable, "-c", WORKER, str(project.folder / "profile.yaml"), str(folder)]
    workers = [subprocess.Popen([*command, part], cwd=HOUSE) for part in ("1/2", "2/2")]
    deadline = time.monotonic() + 120
    while not list(folder.rglob("back_translated/**/record.json")):
        assert time.monotonic() < deadline and workers[1].poll() is None
        time.sleep(0.02)
    os.kill(workers[1].pid, signal.SIGKILL)
    assert workers[0].wait(timeout=120) == 0
    assert workers[1].wait(timeout=10) == -signal.SIGKILL
    plan = Plan(settings, store)
    missing = plan.inventory.missing(packs(plan))
    again = translate(settings, store)
    assert again.done == len(missing) > 0
    made = contents(folder)
    assert {name: content for name, content in made.items() if name in expected} == expected


def test_on_dask(prefect_server: None, settings: Settings, project: Project, tmp_path: Path, expected: dict[str, bytes]) -> None:
    folder = tmp_path / "dask"
    prepare(settings, Store(str(folder)))
    outcome = flow(str(project.folder / "profile.yaml"), str(folder), runner="dask")
    plan = Plan(settings, Store(str(folder)))
    # beside the packs the two tables that are split, and what the packs share, which is nothing
    assert plan.repeated_translations == []
    assert outcome == Outcome(done=len(packs(plan)) + 2 + 1)
    assert contents(folder) == expected


def test_an_unknown_runner_is_named(prefect_server: None, settings: Settings, project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runner: 'spark' is none of threads, processes, dask, ray"):
        flow(str(project.folder / "profile.yaml"), str(tmp_path / "store"), runner="spark")
    assert list((tmp_path / "store").iterdir()) == []
