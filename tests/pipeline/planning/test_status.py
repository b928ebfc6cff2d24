from __future__ import annotations

from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.planning.status import status
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from tests.counting_store import CountingStore
from tests.instant_engine import use_instant_engine
from tests.project import Project, article


@pytest.fixture
def settings(project: Project) -> Settings:
    rivers = [f"The river Aldo is {number} kilometres long. It flows to the sea." for number in range(20)]
    project.source("questions", [article(text, (f"What is {number}? It flows to the sea.", "Aldo")) for number, text in enumerate(rivers)])
    return project.settings(cleaning={"shard_rows": 10, "language": False}, translation={"shard_sentences": 25})


def told(settings: Settings, store: Store) -> dict[str, tuple[int | None, int | None]]:
    return {step.name: (step.held, step.units) for step in status(Plan(settings, store))}


def test_it_follows_the_run(settings: Settings, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_instant_engine(monkeypatch)
    nowhere = Store(str(tmp_path / "nowhere"), writable=False)
    later = ("segment", "find repeated", "translate repeated", "learn candidates", "translate", "filter", "compare")
    unknown = (None, None)
    assert told(settings, nowhere) == {"prepare": (0, 1), **dict.fromkeys(later, unknown)}
    assert not (tmp_path / "nowhere").exists()  # it only looks
    store = CountingStore(str(tmp_path / "store"))
    prepare(settings, store)
    assert told(settings, store) == {"prepare": (1, 1), "segment": (0, 4), **dict.fromkeys(later[1:], unknown)}
    translate(settings, store)
    done = {"prepare": (1, 1), "segment": (4, 4), "find repeated": (1, 1), "translate repeated": (2, 2), "translate": (4, 4)}
    assert told(settings, store) == {**done, "filter": (0, 8), "compare": (0, 4)}
    unit = Plan(settings, store).translated["questions", "deu_Latn"][0]
    store.remove_folder(f"{unit.path}/{unit.fingerprint}")
    assert told(settings, store) == {**done, "translate": (3, 4), "filter": unknown, "compare": unknown}
    translate(settings, store)
    filter_texts(settings, store)
    store.count_anew()
    assert told(settings, store) == {**done, "filter": (8, 8), "compare": (4, 4)}
    assert set(store.records_read.values()) | set(store.listed.values()) == {1}
    more = told(project.settings(**{**settings.model_dump(include={"cleaning", "translation"}), "languages": ["de", "ar", "es"]}), store)
    assert more == {**done, "translate repeated": (2, 3), "translate": (4, 6), "filter": unknown, "compare": unknown}


def test_a_step_that_cannot_be_planned_says_why(settings: Settings, store: Store) -> None:
    reasons = {step.name: step.reason for step in status(Plan(settings, store))}
    assert reasons.pop("prepare") == ""
    message = "english/questions has not been made with these settings: run the earlier stages first, or 'parallel-qa run'"
    assert {reason.rpartition("store/")[2] for reason in reasons.values()} == {message}


def test_a_card_that_cannot_be_used_is_an_error(project: Project, store: Store) -> None:
    with pytest.raises(UserError, match=r"no data card '\./missing\.md'"):
        list(status(Plan(project.settings(sources=["./missing.md"]), store)))
