"""All stages on real text that the sample model cannot translate: garbage goes in, and must not come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.store import Store
from tests.project import Project


def test_xquad_runs_through_and_its_garbage_translations_are_rejected(project: Project, store: Store, xquad: Path) -> None:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0")
    settings = project.settings(languages=["de"])
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    release = publish(settings, store)
    counts = release.manifest["sources"]["questions"]["languages"]["deu_Latn"]
    assert (counts["queries"]["read"], counts["passages"]["read"], counts["pairs"]["read"]) == (1185, 240, 1185)
    assert counts["queries"]["kept"] <= 0.07 * 1185  # short questions whose way back happens to look alike
    assert counts["passages"]["kept"] == 0
    assert sum(counts["passages"]["rejected"].values()) == 240
    assert counts["pairs"]["kept"] == 0
    opened = open_release(store.root)
    opened.texts.add(["eng_Latn", "deu_Latn"], LogProgress())
    english, german = (opened.texts.take(opened.texts.places("passages", np.arange(240), np.full(240, bit)), [""] * 240) for bit in (0, 1))
    assert all(english) and german == [""] * 240
