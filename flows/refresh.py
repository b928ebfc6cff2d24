"""The flow `refresh`: all four stages, each doing only what the store does not hold yet."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from parallel_qa.flows.filter import filter_texts
from parallel_qa.flows.prepare import download
from parallel_qa.flows.publish import publish
from parallel_qa.flows.translate import translate
from parallel_qa.pipeline.release.making.publish import Release
from parallel_qa.pipeline.work import Outcome


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did."""

    outcome: Outcome
    release: Release


@flow(name="refresh")
def refresh(profile: str, store: str) -> Refreshed:
    """Download, translate, filter and publish.

    Args:
        profile: Name of a ready profile, or path of a YAML file.
        store: Folder or `s3://` address.
    """
    outcome = download(profile, store) + translate(profile, store) + filter_texts(profile, store)
    return Refreshed(outcome, publish(profile, store))
