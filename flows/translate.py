"""The flow `translate`: unique sentences, into every language and back."""

from __future__ import annotations

from prefect import flow

from parallel_qa.flows.steps import run_stage
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome

ONE_UNIT = 1
"""Units at once: CTranslate2 spreads the batches of a unit over the whole machine."""


@flow(name="translate")
def translate(profile: str, store: str, part: str = "1/1", runner: str = "auto") -> Outcome:
    """Translate what the store does not hold yet; the sources must have been prepared.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
        runner: Where the units run: "auto" or "threads" on this machine, "dask" or "ray" on the cluster that
            `DASK_SCHEDULER_ADDRESS` or `RAY_ADDRESS` names, or on processes of this machine.
        part: "2/3" for every third unit from the second on: so three workers share the work of one store.
    """
    return run_stage("translate", Plan(load_settings(profile), Store(store)), ONE_UNIT, part, runner)
