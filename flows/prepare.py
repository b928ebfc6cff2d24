"""The flow `prepare`: from data cards to clean English tables."""

from __future__ import annotations

from prefect import flow

from parallel_qa.flows.steps import run_stage
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome


@flow(name="prepare")
def prepare(profile: str, store: str) -> Outcome:
    """Read every source of a profile; clean and deduplicate its rows, and keep evaluation data out.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
    """
    return run_stage("prepare", Plan(load_settings(profile), Store(store)))
