from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command_line import CommandLine
from tests.flows.cli.conftest import FinishedRun
from tests.project import Project


@pytest.fixture
def store(finished: FinishedRun, tmp_path: Path) -> Path:
    """A copy, which a test may change."""
    return Path(shutil.copytree(finished.store, tmp_path / "store"))


def latest(store: Path) -> Path:
    version = json.loads((store / "releases/latest.json").read_bytes())["version"]
    return store / "releases" / version


def test_mined_negatives_make_another_release_and_a_difference_of_settings(finished: FinishedRun, store: Path, cli: CommandLine) -> None:
    first = latest(store)
    mined = cli.run("mine", finished.profile, "--store", store, "--negatives", "1")
    assert mined.returncode == 0, mined.stderr
    assert latest(store) != first
    compared = cli.run("diff", first, store, "--json")
    assert json.loads(compared.stdout)["settings"]["settings.release.mined_negatives"] == {"before": 0, "after": 1}
    printed = cli.run("diff", first, store).stdout
    assert "settings.release.mined_negatives: 0 → 1\n" in printed
    assert "passages/deu_Latn" in printed


def test_a_release_is_exported(finished: FinishedRun, tmp_path: Path, cli: CommandLine) -> None:
    exported = cli.run("export", finished.store, "--format", "beir", "--direction", "de-en", "--output", tmp_path / "beir")
    assert exported.stdout == f"1 examples: {tmp_path}/beir\n"


def test_an_upload_is_shown_before_it_is_made(finished: FinishedRun, store: Path, cli: CommandLine) -> None:
    shown = cli.run("publish", finished.profile, "--store", store, "--push-to-hub", "org/name", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "  manifest.json\n" in shown.stdout
    assert shown.stdout.endswith(" bytes, would go to org/name.\n")
    refused = cli.run("publish", finished.profile, "--store", store, "--dry-run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --dry-run goes with --push-to-hub: ")


def test_a_sound_release_is_verified_and_a_damaged_one_is_exit_code_1(store: Path, cli: CommandLine) -> None:
    sound = cli.run("verify", store)
    assert (sound.returncode, sound.stdout) == (0, "All is as the manifest says.\n")
    (latest(store) / "README.md").write_text("changed", encoding="utf-8")
    damaged = cli.run("verify", latest(store))
    assert damaged.returncode == 1
    assert "README.md: has 7 bytes" in damaged.stderr
    assert damaged.stderr.endswith("1 faults: get the release again, or publish it again from its store.\n")


def test_what_licences_do_not_allow_is_told_early_and_uploaded_only_on_a_decision(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    card = aldo.folder / "questions.md"
    card.write_text(re.sub(r"licence: .*", "licence: cc-by-sa-3.0", card.read_text(encoding="utf-8")), encoding="utf-8")
    profile = aldo.profile(translation={"model": "sample", "licence": "CC-BY-NC-4.0"})
    run = cli.run("run", profile, "--store", tmp_path / "store")
    conflict = (
        "source questions (CC-BY-SA-3.0) asks that what is made of it may be used commercially, which model sample (CC-BY-NC-4.0) forbids"
    )
    assert run.returncode == 0 and conflict in " ".join(run.stderr.split())
    refused = cli.run("publish", profile, "--store", tmp_path / "store", "--push-to-hub", "org/name", "--dry-run")
    assert refused.returncode == 2
    assert f"its licences do not allow it to be passed on: {conflict}: leave that out" in refused.stderr
    decided = aldo.profile(translation={"model": "sample", "licence": "CC-BY-NC-4.0"}, release={"licence": "cc-by-nc-4.0"})
    shown = cli.run("publish", decided, "--store", tmp_path / "store", "--push-to-hub", "org/name", "--dry-run")
    assert (shown.returncode, conflict in shown.stderr) == (0, False)
    manifests = [json.loads(path.read_bytes()) for path in (tmp_path / "store/releases").glob("test-*/manifest.json")]
    assert {(found["licence"], found["licences"]["decided_by_user"]) for found in manifests} == {
        ("CC-BY-NC-4.0 AND CC-BY-SA-3.0", False),
        ("CC-BY-NC-4.0", True),
    }
    assert [found["licences"]["conflicts"] for found in manifests] == [[conflict]] * 2
