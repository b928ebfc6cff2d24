"""The flow `filter`: scores for every translated text."""

from __future__ import annotations

import os

from prefect import flow

from parallel_qa.flows.units import process_runner, run_units, runner_named, thread_runner
from parallel_qa.pipeline.filters import filter as stage
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome

_WORTH_PROCESSES = 20_000
"""Texts to score from which on the start of processes, each with its own language models, pays."""


@flow(name="filter", task_runner=thread_runner(2))
def filter_texts(profile: str, store: str, runner: str = "auto") -> Outcome:
    """Score what the store does not hold yet; everything must have been translated.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
        runner: Where the units run: "threads", "processes" (one for each core), "dask" or "ray"; "auto" takes processes where
            there is much to score.
    """
    settings, opened = load_settings(profile), Store(store)
    if runner == "auto":
        runner = "processes" if stage.texts_to_score(settings, opened) >= _WORTH_PROCESSES else "threads"
    if runner != "threads":
        chosen = process_runner(os.cpu_count() or 1) if runner == "processes" else runner_named(runner)
        outcome: Outcome = filter_texts.with_options(task_runner=chosen)(profile, store, "threads")
        return outcome
    outcome = run_units("filter", stage.units(settings, opened), stage.do, settings, opened)
    return outcome + run_units("compare", stage.comparisons(settings, opened), stage.do_comparison, settings, opened)
