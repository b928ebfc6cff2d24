"""The stages that make units, as functions of settings and store."""

from __future__ import annotations

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.devices import check_device
from parallel_qa.pipeline.translation.translate import part_of_work
from parallel_qa.pipeline.work import Outcome, run_here, run_step


def prepare(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Read, clean, deduplicate and decontaminate every source, and import the translations that a source brings along.

    Raises UserError where a card or one of its files cannot be used, once the other sources are done.
    """
    return _run("prepare", settings, store, progress)


def translate(settings: Settings, store: Store, progress: Progress | None = None, part: str = "1/1") -> Outcome:
    """Translate what the store does not hold yet, and back; the sources must have been prepared.

    `part` "2/3" does every third unit, beginning with the second: three workers with "1/3", "2/3" and "3/3" on one
    store do all. Raises UserError where the model cannot be used or does not know a language, or the device is not there.
    """
    check_device(settings.translation)
    return _run("translate", settings, store, progress, part)


def filter_texts(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Score what the store does not hold yet; everything must have been translated."""
    return _run("filter", settings, store, progress)


def _run(stage: str, settings: Settings, store: Store, progress: Progress | None, part: str = "1/1") -> Outcome:
    worker = part_of_work(part)
    plan = Plan(settings, store)
    run = run_here(settings, plan.inventory, progress)
    outcome = Outcome()
    for step in plan.steps(stage):
        outcome += run_step(step, worker, plan.inventory, run)
    return outcome
