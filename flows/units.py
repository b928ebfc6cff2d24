"""Units of work as Prefect tasks: one task a unit, those that the store holds already left out."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Do, Outcome, Unit


def _may_pass(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry what another try can mend; what the user gave will not get better."""
    return not isinstance(state.result(raise_on_failure=False), UserError)


# The store's fingerprints decide what is done already, across runs and machines; Prefect's cache would not.
@task(task_run_name="{unit.path}", retries=2, retry_delay_seconds=5, retry_condition_fn=_may_pass, cache_policy=NO_CACHE)
def do_unit(do: Do, settings: Settings, store: Store, unit: Unit) -> None:
    """Do one unit."""
    do(settings, store, unit, current_progress())


def thread_runner(workers: int) -> TaskRunner[PrefectFuture[Any]]:
    """Runs at most so many units at once, in threads: what they wait for releases the GIL."""
    return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=workers))


def process_runner(workers: int) -> TaskRunner[PrefectFuture[Any]]:
    """Runs so many units at once, each in a process: for work that keeps Python busy."""
    return cast(TaskRunner[PrefectFuture[Any]], ProcessPoolTaskRunner(max_workers=workers))


def runner_named(name: str) -> TaskRunner[PrefectFuture[Any]]:
    """Prefect's own runners for more than one machine: "dask" or "ray", on the cluster that their own settings name.

    Raises UserError where there is none of that name or its extra is not installed.
    """
    if name not in ("dask", "ray"):
        raise UserError(f"runner: {name!r} is none of threads, dask, ray (and processes, to filter)")
    try:
        if name == "dask":
            from prefect_dask.task_runners import DaskTaskRunner

            address = os.environ.get("DASK_SCHEDULER_ADDRESS")
            local = None if address else {"n_workers": os.cpu_count(), "threads_per_worker": 1, "dashboard_address": None}
            return cast(TaskRunner[PrefectFuture[Any]], DaskTaskRunner(address=address, cluster_kwargs=local))
        from prefect_ray.task_runners import RayTaskRunner

        return cast(TaskRunner[PrefectFuture[Any]], RayTaskRunner(address=os.environ.get("RAY_ADDRESS")))
    except ImportError:
        raise UserError(f"runner: {name} is not installed: pip install 'parallel-qa[{name}]'") from None


def run_units(stage: str, units: Sequence[Unit], do: Do, settings: Settings, store: Store) -> Outcome:
    """Do every unit that the store does not hold, in the flow's task runner; a progress artifact counts them.

    Raises the error of the first unit that failed, once the others have ended.
    """
    missing = [unit for unit in units if not unit.done(store)]
    if not missing:
        return Outcome(0, len(units))
    artifact = cast(UUID, create_progress_artifact(0.0, description=f"{stage}: {len(missing)} of {len(units)} units to do"))
    futures = [do_unit.submit(do, settings, store, unit) for unit in missing]
    for count, future in enumerate(as_completed(futures), 1):
        future.wait()
        update_progress_artifact(artifact, 100.0 * count / len(missing))
    for future in futures:
        future.result()
    return Outcome(len(missing), len(units) - len(missing))
