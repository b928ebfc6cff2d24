"""Settings of batches that come with a release from its profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches import open_release, stream_release
from parallel_qa.pipeline.batches.defaults import settings_for
from parallel_qa.pipeline.errors import UserError

SECTION = {"alpha": {"start": 1.0, "end": 0.0, "schedule": "linear", "steps": 50}, "batch_size": 6, "source_weights": {"small": 3.0}}


def manifest(section: dict[str, Any] | None) -> dict[str, Any]:
    return {"settings": {"batches": section}}


def test_what_is_given_wins_setting_by_setting() -> None:
    assert settings_for(manifest(SECTION), {}) == BatchSettings(**SECTION)
    given = settings_for(manifest(SECTION), {"alpha": 0.25, "seed": 4})
    assert given == BatchSettings(alpha={"start": 0.25}, batch_size=6, source_weights={"small": 3.0}, seed=4)
    assert given.alpha.constant


@pytest.mark.parametrize("settings", [{}, {"batches": None}, {"release": {"seed": 1}}])
def test_without_the_section_nothing_changes(settings: dict[str, Any]) -> None:
    assert settings_for({"settings": settings}, {"seed": 2}) == BatchSettings(seed=2)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(UserError, match="batches: unknown key 'alfa': did you mean 'alpha'"):
        settings_for(manifest(SECTION), {"alfa": 1})
    with pytest.raises(UserError, match=r"batches: alpha\.start: Input should be less than or equal to 1"):
        settings_for(manifest({"alpha": 2}), {})


def test_loaders_begin_with_the_profile_of_the_release(make_release: Callable[..., Path]) -> None:
    folder = make_release(sources={"small": 90, "large": 180}, batches=SECTION)
    for release in (open_release(folder), stream_release(folder)):
        assert release.loader().settings == BatchSettings(**SECTION)
        assert release.loader(batch_size=3).settings == BatchSettings(**SECTION | {"batch_size": 3})
        assert release.loader(BatchSettings(batch_size=4)).settings == BatchSettings(batch_size=4)
        assert [len(batch.queries) for batch in release.batches(steps=2)] == [6, 6]
    assert open_release(folder).loader().sampler.source_shares == pytest.approx({"small": 0.6, "large": 0.4})


def test_weights_are_of_sources_of_the_release(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"small": 90}, batches={"source_weights": {"other": 2}}))
    with pytest.raises(UserError, match="source_weights: 'other' is no source of this release, which has small"):
        release.loader(batch_size=4)
    assert release.loader(batch_size=4, source_weights={}).settings == BatchSettings(batch_size=4)
