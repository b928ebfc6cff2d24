"""The steps of a stage as Prefect tasks: one task a unit, those that the store holds already left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, cast
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from parallel_qa.flows.display import current_progress
from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.devices import check_device
from parallel_qa.pipeline.translation.translate import part_of_work
from parallel_qa.pipeline.work import Do, Outcome, Run, Step, Unit, run_step

Runner = TaskRunner[PrefectFuture[Any]]

THREADS = 2
"""Units at once, unless a flow says otherwise: one is read or written while the other is worked on."""
_WORTH_PROCESSES = 20_000
"""Texts from which on the start of processes, each with its own language models, pays."""
_UNDER_WAY = 200
"""Units that Prefect knows of at a time: its database need not hold all of a large run."""


def _may_pass(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry what another try can mend; what the user gave will not get better."""
    return not isinstance(state.result(raise_on_failure=False), UserError)


# The store's fingerprints decide what is done already, across runs and machines; Prefect's cache would not.
@task(task_run_name="{unit.path}", retries=2, retry_delay_seconds=5, retry_condition_fn=_may_pass, cache_policy=NO_CACHE)
def do_unit(do: Do, settings: Settings, store: Store, unit: Unit) -> None:
    """Do one unit."""
    do(settings, store, unit, current_progress())


def run_stage(stage: str, plan: Plan, threads: int = THREADS, part: str = "1/1", runner: str = "auto") -> Outcome:
    """Run a stage of `plan`.

    `runner` says where its units run: "threads", "processes" (one for each core), "dask" or "ray"; "auto" takes processes for
    steps that keep Python busy, where there is much to do. On one machine, other steps run in threads of this process whatever is
    said: a model uses all cores and GPUs by itself, and a second one beside it would share them. `part` is a worker's share, see
    `work.run_step`. Raises UserError where there is no such runner or part, before anything is done.
    """
    worker = part_of_work(part)
    if stage == "translate":
        check_machine(plan.settings, runner)
    outcome = Outcome()
    with _Runners(runner, threads) as runners:
        for step in plan.steps(stage):
            outcome += run_step(step, worker, plan.inventory, _in_tasks(plan, runners))
    return outcome


def check_machine(settings: Settings, runner: str = "auto") -> None:
    """Raises UserError where this machine cannot translate as the settings ask, unless the runner sends units to others."""
    if not _cluster(runner):
        check_device(settings.translation)


def run_one_step(step: Step, plan: Plan) -> Outcome:
    """Run a step that belongs to no stage."""
    with _Runners("auto", THREADS) as runners:
        return run_step(step, (1, 1), plan.inventory, _in_tasks(plan, runners))


def _in_tasks(plan: Plan, runners: _Runners) -> Run:
    """Does units as tasks; a progress artifact counts them.

    Raises the error of the first unit that failed, once the others have ended.
    """

    def run(step: Step, units: Sequence[Unit]) -> None:
        if not units:
            return
        artifact = cast(UUID, create_progress_artifact(0.0, description=f"{step.name}: {len(units)} of {len(step.units)} units to do"))
        errors = []
        for count, (unit, error) in enumerate(_outcomes(runners.started_for(step, units), step, plan, units), 1):
            if error is None:
                plan.inventory.add(unit)
            else:
                errors.append(error)
            update_progress_artifact(artifact, 100.0 * count / len(units))
        if errors:
            raise errors[0]

    return run


def _outcomes(runner: Runner, step: Step, plan: Plan, units: Sequence[Unit]) -> Iterator[tuple[Unit, Exception | None]]:
    """Each unit when it has ended, and what it failed with; only so many are submitted at a time."""
    waiting = iter(units)
    under_way: dict[PrefectFuture[Any], Unit] = {}
    while True:
        for unit in islice(waiting, _UNDER_WAY - len(under_way)):
            parameters = {"do": step.do, "settings": plan.settings, "store": plan.store, "unit": unit}
            under_way[runner.submit(do_unit, parameters)] = unit
        if not under_way:
            return
        future = next(as_completed(list(under_way)))
        unit = under_way.pop(future)
        try:
            future.result()
            yield unit, None
        except Exception as error:  # whatever a unit fails with, the others go on
            yield unit, error


class _Runners:
    """The runners of a stage, each started when a step first needs it, so that processes keep the models that they have loaded."""

    def __init__(self, name: str, threads: int) -> None:
        """Raises UserError where there is no runner of that name, or its extra is not installed."""
        self._name, self._threads = name, threads
        self._started: dict[str, Runner] = {}
        self._stack = ExitStack()
        if name != "auto":
            _runner(name, threads)

    def __enter__(self) -> _Runners:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def started_for(self, step: Step, units: Sequence[Unit]) -> Runner:
        """The runner for units of a step."""
        name = self._name
        if name == "auto":
            name = _fitting(step, units)
        elif not step.keeps_python_busy and not _cluster(name):
            name = "threads"
        if name not in self._started:
            self._started[name] = self._stack.enter_context(_runner(name, self._threads))
        return self._started[name]


def _fitting(step: Step, units: Sequence[Unit]) -> str:
    """The name of the runner that does units of a step soonest."""
    texts = sum(max((file.rows for file in unit.files.values()), default=0) for unit in units)
    return "processes" if step.keeps_python_busy and texts >= _WORTH_PROCESSES and len(units) > 1 else "threads"


def _cluster(runner: str) -> str | None:
    """The address of the cluster that a runner sends units to; None where it would start processes on this machine."""
    return os.environ.get({"dask": "DASK_SCHEDULER_ADDRESS", "ray": "RAY_ADDRESS"}.get(runner, "")) or None


def _runner(name: str, threads: int) -> Runner:
    """The runner of a name; raises UserError where there is none, or its extra is not installed."""
    if name == "threads":
        return cast(Runner, ThreadPoolTaskRunner(max_workers=threads))
    if name == "processes":
        return cast(Runner, ProcessPoolTaskRunner(max_workers=available_cores()))
    if name not in ("dask", "ray"):
        raise UserError(f"runner: {name!r} is none of threads, processes, dask, ray")
    try:
        if name == "dask":
            from prefect_dask.task_runners import DaskTaskRunner

            address = _cluster("dask")
            local = None if address else {"n_workers": available_cores(), "threads_per_worker": 1, "dashboard_address": None}
            return cast(Runner, DaskTaskRunner(address=address, cluster_kwargs=local))
        from prefect_ray.task_runners import RayTaskRunner

        address = _cluster("ray")
        return cast(Runner, RayTaskRunner(address=address, init_kwargs=None if address else {"num_cpus": available_cores()}))
    except ImportError:
        raise UserError(f"runner: {name} is not installed: pip install 'parallel-qa[{name}]'") from None
