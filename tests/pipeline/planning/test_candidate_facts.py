from __future__ import annotations

from pathlib import Path

from parallel_qa.pipeline.planning.candidate_facts import candidate_facts
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare, translate
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from tests.project import Project, article

ARTICLES = [
    article(f"The river Aldo is {number} kilometres long.", (f"How long is the river Aldo in Town{number}?", str(number)))
    for number in range(120, 160)
]


def run(project: Project, folder: Path, **candidates: object) -> Plan:
    project.source("questions", ARTICLES)
    settings: Settings = project.settings(languages=["de", "zh"], translation={"shard_sentences": 20, "candidates": candidates})
    store = Store(str(folder))
    prepare(settings, store)
    translate(settings, store)
    return Plan(settings, store)


def test_what_was_compared_is_added_up_by_language(project: Project, tmp_path: Path) -> None:
    plan = run(project, tmp_path / "store", lessons=30, worth_from=1, checked_share=1)
    facts = candidate_facts(plan)
    assert list(facts) == ["deu_Latn", "zho_Hans"]
    for code, of_language in facts.items():
        back = [unit for unit in plan.translation_units if unit.language == code and "candidates" in unit.inputs]
        there = [unit.inputs["translated"] for unit in back]
        records = [unit.result(plan.store) for unit in [*there, *back]]
        assert of_language["units"] == len(records) > 0
        assert of_language["checked"] == sum(record.facts["candidates"]["checked"] for record in records) > 20
        assert of_language["differing"] == sum(record.facts["candidates"]["differing"] for record in records)
        assert of_language["with_all_pieces"] == sum(record.facts["candidates"]["all_pieces"] for record in records)
        assert 0 < of_language["pieces_there"] < 10_000 > of_language["pieces_back"] > 0


def test_a_run_without_candidates_has_nothing_to_tell(project: Project, tmp_path: Path) -> None:
    assert candidate_facts(run(project, tmp_path / "store", use=False)) == {}
