"""The flow `filter`: scores for every translated text."""

from __future__ import annotations

from prefect import flow

from parallel_qa.flows.steps import run_stage
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome


@flow(name="filter")
def filter_texts(profile: str, store: str, runner: str = "auto") -> Outcome:
    """Score what the store does not hold yet; everything must have been translated.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
        runner: Where the units run: "threads", "processes" (one for each core), "dask" or "ray"; "auto" takes processes where
            there is much to score.
    """
    return run_stage("filter", Plan(load_settings(profile), Store(store)), runner=runner)
