"""The flow `download`: from data cards to clean English tables."""

from __future__ import annotations

from prefect import flow

from parallel_qa.flows.units import run_units, thread_runner
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.sources import imported
from parallel_qa.pipeline.sources import prepare as stage
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome


@flow(name="download", task_runner=thread_runner(2))
def download(profile: str, store: str) -> Outcome:
    """Read every source of a profile.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
    """
    settings, opened = load_settings(profile), Store(store)
    english = stage.units(settings)
    outcome = run_units("download", english, stage.do, settings, opened)
    return outcome + run_units("import", imported.units(settings, opened, english), imported.do, settings, opened)
