"""The flow `translate`: unique sentences, into every language and back."""

from __future__ import annotations

from prefect import flow

from parallel_qa.flows.units import run_units, runner_named, thread_runner
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import segment
from parallel_qa.pipeline.translation import translate as stage
from parallel_qa.pipeline.work import Outcome


# One unit at a time: CTranslate2 spreads the batches of a unit over the whole machine.
@flow(name="translate", task_runner=thread_runner(1))
def translate(profile: str, store: str, part: str = "1/1", runner: str = "threads") -> Outcome:
    """Translate what the store does not hold yet; the sources must have been downloaded.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
        runner: Where the units run: "threads" on this machine, "dask" or "ray" on the cluster that
            `DASK_SCHEDULER_ADDRESS` or `RAY_ADDRESS` names, or on processes of this machine.
        part: "2/3" for every third unit from the second on: so three workers share the work of one store.
    """
    if runner != "threads":
        outcome: Outcome = translate.with_options(task_runner=runner_named(runner))(profile, store, part)
        return outcome
    settings, opened = load_settings(profile), Store(store)
    outcome = run_units("segment", segment.units(settings, opened), segment.do, settings, opened)
    return outcome + run_units("translate", stage.part_of(stage.units(settings, opened), part), stage.do, settings, opened)
