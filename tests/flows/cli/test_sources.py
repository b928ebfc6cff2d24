"""The commands on data cards, in this process, so that a hub on loopback stands in for the real one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parallel_qa.flows.cli import app
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import HOUSE, load_settings
from parallel_qa.pipeline.sources.pins import write_pin
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.store import Store
from tests.loopback_hub import LoopbackHub
from tests.pipeline.sources.shapes import SHAPES, SQUAD, parquet, readme, squad_row
from tests.project import Project, article

COMMIT, LATER = "5a" * 20, "6b" * 20
BRANCH = "refs/convert/parquet"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub with MLQA, whose branch of Parquet files is at COMMIT."""
    folder = tmp_path / "mlqa"
    SHAPES["mlqa"](folder)
    with LoopbackHub().serve() as server:
        server.stand_in(monkeypatch, tmp_path)
        server.repositories["datasets/facebook/mlqa"] = (COMMIT, folder)
        server.branches[BRANCH] = COMMIT
        yield server


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_the_command_that_the_error_names_is_all_that_is_missing(hub: LoopbackHub, project: Project, store: Store) -> None:
    known = article("Salt is mined in the north.", ("Where is salt mined?", "in the north"))
    other = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo?", "740"))
    project.source("questions", [known, other])
    profile = project.profile(evaluation=["mlqa"])
    with pytest.raises(UserError) as error:
        prepare(load_settings(str(profile)), store)
    [command] = re.findall(r"'(parallel-qa .*?)' finds it", str(error.value))
    result = run(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert result.output == f"{project.folder}/pins.yaml: mlqa: {BRANCH} is now {COMMIT}\n"
    settings = load_settings(str(profile))
    prepare(settings, store)
    record = units(settings)[0].result(store)
    assert record.facts["evaluation"]["sets"] == [{"name": "mlqa", "version": COMMIT, "queries": 3, "passages": 3}]
    assert store.read_tables(record, "pairs").num_rows == 1  # the other one is MLQA's
    (project.folder / "pins.yaml").write_text(f"mlqa: {LATER}\n")
    assert units(load_settings(str(profile)))[0].fingerprint != record.fingerprint


def test_a_release_says_at_which_commit_its_sources_and_evaluation_sets_were(hub: LoopbackHub, project: Project, store: Store) -> None:
    text = "The river Aldo is 740 kilometres long."
    folder = project.folder / "squad"
    parquet(folder / "train.parquet", [squad_row("a", "Aldo", text, "How long is the river Aldo in Velu?", "740")], SQUAD)
    readme(folder, plain_text={"train": "train.parquet"})
    hub.repositories["datasets/rajpurkar/squad"] = (LATER, folder)
    write_pin(project.folder, "squad", LATER)
    write_pin(project.folder, "mlqa", COMMIT)
    settings = project.settings(sources=["squad"], evaluation=["mlqa"], languages=["de"])
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    manifest = publish(settings, store).manifest
    assert manifest["sources"]["squad"]["revision"] == LATER
    assert [(entry["name"], entry["version"]) for entry in manifest["evaluation"]["sets"]] == [("mlqa", COMMIT)]


@pytest.mark.parametrize("given", ["folder", "profile"])
def test_all_that_has_no_commit_is_pinned_for_a_profile_or_its_folder(hub: LoopbackHub, project: Project, given: str) -> None:
    target = project.folder if given == "folder" else project.profile()
    assert "evaluation (not pinned)" in " ".join(run("sources", "list", "--profile", target).output.split())
    assert run("sources", "pin", "--all", "--profile", target).exit_code == 0
    assert (project.folder / "pins.yaml").read_text().splitlines()[1:] == [f"mlqa: {COMMIT}"]
    assert "not pinned" not in run("sources", "list", "--profile", target).output
    again = run("sources", "pin", "--all", "--profile", target)
    assert (again.exit_code, again.output) == (0, "all shipped cards have a commit\n")
    check = run("sources", "check", "mlqa", "--rows", 1, "--profile", target)
    assert check.exit_code == 0 and "Where is salt mined?" in check.output


def test_a_card_of_ones_own_needs_no_profile(hub: LoopbackHub, project: Project) -> None:
    text = (HOUSE / "data_cards/mlqa.md").read_text()
    (project.folder / "my.md").write_text(text)
    result = run("sources", "pin", project.folder / "my.md")
    assert (result.exit_code, result.output) == (0, f"{project.folder}/my.md: mlqa: {BRANCH} is now {COMMIT}\n")
    assert (project.folder / "my.md").read_text() == text.replace(f"revision: {BRANCH}", f"revision: {COMMIT}")
    assert not (project.folder / "pins.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pin"], "sources pin: name a card, or give --all"),
        (["pin", "mlqa"], "sources pin mlqa: say for which profile: 'parallel-qa sources pin mlqa --profile PROFILE'"),
        (["pin", "--all"], "sources pin mlqa: say for which profile"),
        (["pin", "mlqa", "--profile", "nllb"], f"{HOUSE}/profiles belongs to the installation"),
        (["pin", HOUSE / "data_cards/mlqa.md"], "sources pin mlqa: say for which profile"),
        (["pin", "mlqa", "--profile", "/proc"], "/proc/pins.yaml: cannot be written"),
        (["pin", "mlqa", "--profile", "absent.yaml"], "absent.yaml: no such profile"),
        (["pin", "sample-qa", "--profile", "."], "only a card with a `hub` repository has a revision to pin"),
    ],
)
def test_what_cannot_be_pinned_is_said(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted((HOUSE / "profiles").iterdir()), (HOUSE / "data_cards/mlqa.md").read_bytes()
    result = run("sources", *arguments)
    assert result.exit_code == 1 and isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert (sorted((HOUSE / "profiles").iterdir()), (HOUSE / "data_cards/mlqa.md").read_bytes()) == before
    assert not (tmp_path / "pins.yaml").exists()
