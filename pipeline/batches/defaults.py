"""Settings of batches that a release brings from its profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.parsing import parse


def settings_for(manifest: Mapping[str, Any], given: Mapping[str, Any]) -> BatchSettings:
    """The settings in `given`, and for those that are not there the ones that the profile of the release has in `batches`.

    A setting in `given` takes the place of the profile's whole: of `alpha` no part of the profile's is left. Raises UserError that names
    the setting.
    """
    return parse(BatchSettings, {**(manifest["settings"].get("batches") or {}), **given}, "batches")
