"""Which languages each source of a release has."""

from __future__ import annotations

from typing import Any

import numpy as np

from parallel_qa.pipeline.batches.links import Integers, Mask


def kept_by_manifest(manifest: dict[str, Any]) -> Integers:
    """Of shape (sources, languages): pairs of which both sides survived; all of them in English."""
    kept = np.array([[facts["provided"]["pairs"]] * len(manifest["languages"]) for facts in manifest["sources"].values()], np.int64)
    for source, facts in enumerate(manifest["sources"].values()):
        for code, counts in facts["languages"].items():
            kept[source, manifest["languages"].index(code)] = counts["pairs"]["kept"]
    return kept


def available_languages(manifest: dict[str, Any], kept: Integers) -> Mask:
    """Of shape (sources, languages): whether batches of the source may be in the language.

    They may where any pair is `kept`, if the source is translated into the language: one that is not may have a few pairs in it all the
    same, whose texts another source has too.
    """
    available = kept > 0
    for source, facts in enumerate(manifest["sources"].values()):
        available[source, [manifest["languages"].index(code) for code in facts.get("not_translated", [])]] = False
    return available
