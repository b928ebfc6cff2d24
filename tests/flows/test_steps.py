"""Units as Prefect tasks: however many there are, in whatever runner, and when some of them fail."""

from __future__ import annotations

import os
from collections import Counter

import pyarrow as pa
import pytest

from parallel_qa.flows import steps
from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import FileRef, Store
from parallel_qa.pipeline.work import Do, Outcome, Step, Unit
from tests.project import Project

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def plan(project: Project, store: Store) -> Plan:
    return Plan(project.settings(), store)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "do_unit", steps.do_unit.with_options(retry_delay_seconds=0))


def make(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Makes a unit that says in which process."""
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table("x/00000.parquet", pa.table({"shard": [unit.shard]}))
        writer.facts["process"] = os.getpid()


def step_of(count: int, do: Do, rows: int = 0, busy: bool = False) -> Step:
    files = {"texts": FileRef("a", "0", rows)}
    units = [Unit(f"english/{shard}", "f", shard=shard, files=files) for shard in range(count)]
    return Step("step", units, do, keeps_python_busy=busy)


def made(store: Store) -> list[str]:
    return [path for path, _ in store.finished_units("english")]


def test_more_units_than_are_under_way_are_all_done(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_UNDER_WAY", 3)
    step = step_of(10, make)
    assert steps.run_one_step(step, plan) == Outcome(done=10)
    assert made(plan.store) == sorted(unit.path for unit in step.units)
    assert plan.inventory.missing(step.units) == []
    assert steps.run_one_step(step, plan) == Outcome(skipped=10)


def test_an_error_of_one_unit_does_not_stop_the_others_and_is_not_tried_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_UNDER_WAY", 2)
    tried: Counter[int] = Counter()

    def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
        tried[unit.shard] += 1
        if unit.shard == 1:
            raise UserError("row 1 of the file cannot be used")
        make(settings, store, unit, progress)

    step = step_of(6, do)
    with pytest.raises(UserError, match="row 1 of the file cannot be used"):
        steps.run_one_step(step, plan)
    assert made(plan.store) == [f"english/{shard}" for shard in (0, 2, 3, 4, 5)]
    assert plan.inventory.missing(step.units) == [step.units[1]]
    assert tried == dict.fromkeys(range(6), 1)


def test_what_may_pass_is_tried_again(plan: Plan) -> None:
    tried: Counter[int] = Counter()

    def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
        tried[unit.shard] += 1
        if unit.shard == 1 and tried[1] < 3:
            raise ConnectionResetError("the server went away")
        make(settings, store, unit, progress)

    assert steps.run_one_step(step_of(2, do), plan) == Outcome(done=2)
    assert tried == {0: 1, 1: 3}


def test_what_does_not_pass_is_raised_after_two_more_tries(plan: Plan) -> None:
    tried: Counter[int] = Counter()

    def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
        tried[unit.shard] += 1
        raise ConnectionResetError("the server went away")

    with pytest.raises(ConnectionResetError, match="the server went away"):
        steps.run_one_step(step_of(1, do), plan)
    assert tried == {0: 3}


@pytest.mark.parametrize(("rows", "busy", "processes"), [(10_000, True, True), (9_999, True, False), (10_000, False, False)])
def test_processes_are_taken_where_they_pay(plan: Plan, rows: int, busy: bool, processes: bool) -> None:
    steps.run_one_step(step_of(2, make, rows, busy), plan)
    ids = {record.facts["process"] for record in plan.store.records("english")}
    assert (os.getpid() not in ids) == processes


def test_the_steps_of_a_stage_share_their_processes(plan: Plan) -> None:
    """So that what a process has loaded serves them all."""
    units = [Unit(f"english/{shard}", "f", shard=shard) for shard in range(9)]
    with steps._Runners("processes", 1) as runners:
        run = steps._in_tasks(plan, runners)
        for start in (0, 3, 6):
            run(Step("step", units, make, keeps_python_busy=True), units[start : start + 3])
    assert plan.inventory.missing(units) == []
    ids = {record.facts["process"] for record in plan.store.records("english")}
    assert os.getpid() not in ids and len(ids) <= available_cores()


@pytest.mark.parametrize("runner", ["processes", "dask"])
def test_a_model_is_not_loaded_in_many_processes_of_one_machine(plan: Plan, runner: str) -> None:
    units = [Unit(f"english/{shard}", "f", shard=shard) for shard in range(3)]
    with steps._Runners(runner, 2) as runners:
        steps._in_tasks(plan, runners)(Step("step", units, make), units)
    assert {record.facts["process"] for record in plan.store.records("english")} == {os.getpid()}


def test_an_unknown_part_is_named_before_anything_is_done(plan: Plan) -> None:
    with pytest.raises(UserError, match="part: '3/2' is no part of the work"):
        steps.run_stage("prepare", plan, part="3/2")
    assert list(plan.store.walk("english")) == []


def test_on_a_cluster_the_device_of_this_machine_does_not_matter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project.settings(translation={"gpus": [99]})
    monkeypatch.setenv("RAY_ADDRESS", "ray://elsewhere:10001")
    steps.check_machine(settings, "ray")
    for runner in ("auto", "threads", "dask"):
        with pytest.raises(UserError, match=r"translation\.gpus: GPU 99 is not to be had here"):
            steps.check_machine(settings, runner)
