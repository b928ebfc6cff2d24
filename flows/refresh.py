"""The flow `refresh`: all four stages, each doing only what the store does not hold yet."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from parallel_qa.flows.publish import publish_plan
from parallel_qa.flows.steps import check_machine, run_stage
from parallel_qa.flows.translate import ONE_UNIT
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.release.making.publish import Release
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did."""

    outcome: Outcome
    release: Release


@flow(name="refresh")
def refresh(profile: str, store: str, runner: str = "auto") -> Refreshed:
    """Prepare, translate, filter and publish, by one plan.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
        runner: Where the units run; see the flow `filter`.
    """
    plan = Plan(load_settings(profile), Store(store))
    check_machine(plan.settings, runner)  # before sources are downloaded
    outcome = run_stage("prepare", plan, runner=runner)
    outcome += run_stage("translate", plan, ONE_UNIT, runner=runner)
    outcome += run_stage("filter", plan, runner=runner)
    return Refreshed(outcome, publish_plan(plan))
