from __future__ import annotations

import json

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.diff import diff, to_json
from parallel_qa.pipeline.settings import FilterSettings, Settings
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.project import Project, article

ALDO = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")
HINTU = article("The river Hintu is 122 kilometres long.", ("How long is the river Hintu in Velu?", "122"), title="Hintu")


def released(settings: Settings, store: Store) -> Store:
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    return Store(f"{store.url}/{publish(settings, store).path}", writable=False)


def test_a_release_and_itself_do_not_differ(sample_run: Run) -> None:
    store = Store(str(sample_run.folder), writable=False)
    found = diff(store, store)
    assert (found.added_languages, found.removed_languages, found.settings) == ([], [], {})
    assert all(not (one.added or one.removed or one.changed or one.fates or one.scores) for one in [*found.texts.values(), found.pairs])


def test_new_rows_languages_and_thresholds_are_told(project: Project, store: Store) -> None:
    project.source("questions", [ALDO])
    first = released(project.settings(languages=["de", "ar"]), store)
    project.source("questions", [ALDO, HINTU])
    second = released(project.settings(languages=["de", "es"], filters={"min_chrf": 100}), store)
    found = diff(first, second)
    assert (found.added_languages, found.removed_languages) == (["spa_Latn"], ["arb_Arab"])
    assert found.settings["settings.filters.min_chrf"] == (None, 100.0)
    assert (found.pairs.added, found.pairs.removed) == (1, 0)
    german = found.texts["queries", "deu_Latn"]
    assert (german.added, german.removed, german.changed) == (1, 0, 0)
    assert set(found.texts) == {(table, code) for table in ("queries", "passages") for code in ("eng_Latn", "deu_Latn")}
    assert json.loads(to_json(found))["pairs"]["added"] == 1
    back = diff(second, first)
    assert (back.pairs.added, back.pairs.removed) == (0, 1)


def test_other_thresholds_move_rows_by_reason(sample_run: Run) -> None:
    strict = sample_run.settings.model_copy(update={"filters": FilterSettings(min_chrf=100)})
    store = Store(f"{sample_run.store.url}/{publish(strict, sample_run.store).path}", writable=False)
    found = diff(Store(str(sample_run.folder), writable=False), store)
    publish(sample_run.settings, sample_run.store)
    fates = found.texts["queries", "deu_Latn"].fates
    assert set(fates) == {(None, "round_trip")} and fates[None, "round_trip"] > 0
    assert not found.texts["queries", "deu_Latn"].scores


def test_what_is_no_release_is_refused(sample_run: Run) -> None:
    with pytest.raises(UserError, match="no release here"):
        diff(sample_run.store, sample_run.store)
