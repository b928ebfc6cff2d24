"""Which languages each source of a release has."""

from __future__ import annotations

from typing import Any

import numpy as np

from parallel_qa.pipeline.batches.links import Integers, Mask

_NOT_TRANSLATED = "_not_translated"
"""So end the reasons of pairs of which a side was not to be in a language."""


def kept_by_manifest(manifest: dict[str, Any]) -> Integers:
    """Of shape (sources, languages): pairs of which both sides survived; all of them in English."""
    kept = np.array([[facts["provided"]["pairs"]] * len(manifest["languages"]) for facts in manifest["sources"].values()], np.int64)
    for source, facts in enumerate(manifest["sources"].values()):
        for code, counts in facts["languages"].items():
            kept[source, manifest["languages"].index(code)] = counts["pairs"]["kept"]
    return kept


def available_languages(manifest: dict[str, Any], kept: Integers) -> Mask:
    """Of shape (sources, languages): whether batches of the source may be in the language.

    They may where any pair is `kept`. But a source that is not in a language by its profile may have some pairs in it, as their texts are
    those of other sources too: where more pairs were not translated than are there, it does not have the language.
    """
    untranslated = np.zeros_like(kept)
    for source, facts in enumerate(manifest["sources"].values()):
        for code, counts in facts["languages"].items():
            reasons = counts["pairs"]["rejected"]
            untranslated[source, manifest["languages"].index(code)] = sum(
                count for reason, count in reasons.items() if reason.endswith(_NOT_TRANSLATED)
            )
    return np.asarray(kept > untranslated, dtype=bool)
