"""The flow `publish`: one release out of all that was kept."""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from parallel_qa.flows.display import current_progress
from parallel_qa.flows.steps import run_one_step
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.release.making import publish as stage
from parallel_qa.pipeline.release.making.publish import Release
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store


@flow(name="publish")
def publish(profile: str, store: str) -> Release:
    """Write the release, unless it stands there already; everything must have been filtered.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
    """
    return publish_plan(Plan(load_settings(profile), Store(store)))


def publish_plan(plan: Plan) -> Release:
    """Write the release of a plan, as a task, and show what was kept."""
    run_one_step(stage.mining_step(plan), plan)

    @task(name="publish", task_run_name=f"release of {plan.settings.name}", cache_policy=NO_CACHE)
    def write() -> Release:
        return stage.publish(plan.settings, plan.store, current_progress(), plan)

    release = write()
    create_table_artifact(_kept(release), key="kept", description=f"Pairs kept in release {release.manifest['version']}")
    return release


def _kept(release: Release) -> list[dict[str, object]]:
    return [
        {"source": source, "language": code, "read": counts["pairs"]["read"], "kept": counts["pairs"]["kept"]}
        for source, facts in release.manifest["sources"].items()
        for code, counts in facts["languages"].items()
    ]
