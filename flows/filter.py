"""The flow `filter`: scores for every translated text."""

from __future__ import annotations

from prefect import flow

from flows.units import run_units, thread_runner
from pipeline.filters import filter as stage
from pipeline.settings import load_settings
from pipeline.store import Store
from pipeline.work import Outcome


@flow(name="filter", task_runner=thread_runner(2))
def filter_texts(profile: str, store: str) -> Outcome:
    """Score what the store does not hold yet; everything must have been translated.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
    """
    settings, opened = load_settings(profile), Store(store)
    outcome = run_units("filter", stage.units(settings, opened), stage.do, settings, opened)
    return outcome + run_units("compare", stage.comparisons(settings, opened), stage.do_comparison, settings, opened)
