from __future__ import annotations

from typer.testing import CliRunner

from parallel_qa.flows.cli import app
from parallel_qa.pipeline.sources.prepare import download
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.plan import plan
from parallel_qa.pipeline.translation.translate import translate
from tests.project import Project, article

TOWN = article("Marlo is a small town in the north of Orso.", ("When was the town of Marlo in Orso founded?", "1642"))


def test_a_plan_follows_the_run(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    settings = project.settings(languages=["de"])
    assert [(step.name, step.to_do) for step in plan(settings, store)] == [("download", 1), ("translate deu_Latn", None), ("filter", None)]
    download(settings, store)
    before = plan(settings, store)
    assert [(step.name, step.to_do, step.units) for step in before[:2]] == [("download", 0, 1), ("translate deu_Latn", 1, 1)]
    assert before[1].tokens and 30 < before[1].tokens < 60  # 86 characters, there and back
    assert before[1].seconds is None
    assert not store.exists("sentences")  # planning did nothing
    translate(settings, store)
    assert [(step.to_do, step.tokens) for step in plan(settings, store)[1:2]] == [(0, 0)]
    more = plan(project.settings(languages=["de", "es"]), store)
    assert [(step.name, step.to_do) for step in more[1:3]] == [("translate deu_Latn", 0), ("translate spa_Latn", 1)]
    assert more[2].tokens == before[1].tokens
    assert more[2].seconds and more[2].seconds > 0


def test_the_command_prints_it(project: Project, store: Store) -> None:
    project.source("questions", [TOWN])
    download(project.settings(), store)
    result = CliRunner().invoke(app, ["plan", str(project.profile()), "--store", store.url])
    assert result.exit_code == 0, result.output
    assert "translate deu_Latn" in result.output and "tokens to write" in result.output
