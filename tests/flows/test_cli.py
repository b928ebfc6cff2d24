from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parallel_qa.pipeline.settings import HOUSE
from tests.project import Project, article

ALDO = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user without settings of their own: Prefect starts its own server on SQLite."""
    home = tmp_path_factory.mktemp("home")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return {**kept, "HOME": str(home), "PREFECT_HOME": str(home / "prefect"), "PARALLEL_QA_CACHE": str(home / "cache"), "COLUMNS": "120"}


def command(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("parallel-qa")), *map(str, arguments)]


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_run_ends_by_showing_what_was_made_and_does_nothing_twice(project: Project, tmp_path: Path, environment: dict[str, str]) -> None:
    project.source("questions", [ALDO])
    first = run(environment, "run", project.profile(), "--store", tmp_path / "store")
    assert (first.returncode, first.stderr.count("error")) == (0, 0)
    assert "Done: 10 units of work; 0 were in the store already." in first.stdout
    assert "Release test-" in first.stdout
    second = run(environment, "run", project.profile(), "--store", tmp_path / "store")
    assert second.returncode == 0
    assert "Nothing to do: all 10 units of work are in the store already." in second.stdout
    assert "(unchanged)" in second.stdout
    shown = run(environment, "batches", tmp_path / "store", "--batch-size", 1, "--language", "en", "--language", "de")
    assert shown.returncode == 0
    assert "A monolingual batch of 1 from questions" in shown.stdout
    assert "A cross-lingual batch of 1 from questions" in shown.stdout


def test_what_training_would_see_is_printed_and_drawn(project: Project, tmp_path: Path, environment: dict[str, str]) -> None:
    project.source("questions", [ALDO])
    store, page = tmp_path / "store", tmp_path / "page.html"
    assert run(environment, "run", project.profile(), "--store", store).returncode == 0
    batches = ("batches", store, "--batch-size", 1, "--steps", 20, "--output", page)
    shown = run(environment, *batches, "--alpha", 1, "--set", "language_weights={en: 0, ar: 0}", "--set", "query_prefix='Q: '")
    assert shown.returncode == 0, shown.stderr
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.stdout.splitlines() if line.startswith("│")]
    assert ["monolingual", "20", "100.00%", "100.00%", ""] in lines
    assert ["German", "20", "100.00%", "100.00%", ""] in lines
    assert "Repeats: the mean of 20 epochs of 1 batches." in shown.stdout
    assert "A monolingual batch of 1 from questions" in shown.stdout and "Q: Wie lang" in shown.stdout
    assert shown.stdout.endswith(f"Preview: {page}\n")
    assert "Q: Wie lang" in page.read_text(encoding="utf-8")

    for arguments, message in (
        (("--set", "languge_weights={en: 0}"), "unknown key 'languge_weights': did you mean 'language_weights'?"),
        (("--set", "alpha={start: 2}"), "alpha.start: Input should be less than or equal to 1"),
        (("--set", "seed"), "--set 'seed': write NAME=VALUE"),
        (("--output", tmp_path / "missing" / "page.html"), "page.html: cannot be written: there is no folder"),
    ):
        refused = run(environment, *batches, *arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert message in refused.stderr
    alone = run(environment, "batches", store, "--output", page)
    assert (alone.returncode, alone.stderr) == (2, "error: --output goes with --steps\n")


def test_a_killed_run_goes_on_where_it_was(project: Project, tmp_path: Path, environment: dict[str, str]) -> None:
    project.source("questions", [ALDO])
    profile = project.profile(languages=["de", "es", "ru", "hi", "ar", "zh", "th", "tr", "sw"])
    store = tmp_path / "store"
    started = command("run", profile, "--store", store)
    process = subprocess.Popen(started, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(store.glob("back_translated/*/questions/*/*/record.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in store.rglob("record.json")}
    assert len(finished) >= 5
    assert not (store / "releases").exists()
    again = run(environment, "run", profile, "--store", store)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    whole = run(environment, "run", profile, "--store", tmp_path / "whole")
    assert whole.returncode == 0
    releases = [sorted(p for p in (folder / "releases").rglob("*") if p.is_file()) for folder in (store, tmp_path / "whole")]
    assert [p.read_bytes() for p in releases[0]] == [p.read_bytes() for p in releases[1]]
    assert len(releases[0]) > 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ["deu_Latin"]}, "unknown language 'deu_Latin': did you mean deu_Latn"),
        ({"langauges": ["de"]}, "unknown key 'langauges': did you mean 'languages'?"),
        ({"sources": ["./missing.md"]}, "no data card './missing.md'"),
        ({"sources": ["./unlicensed.md"]}, "unlicensed.md: the card has no licence"),
        ({"translation": {"model": "./model"}}, "the file model.bin is missing"),
        ({"translation": {"model": "facebook/nllb-200-distilled-600M"}}, "translation.revision: pin facebook/nllb-200-distilled-600M"),
        ({"languages": ["ko"]}, "model 'sample' does not know kor_Hang"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    project: Project, tmp_path: Path, environment: dict[str, str], settings: dict[str, object], message: str
) -> None:
    project.source("questions", [ALDO])
    project.card("unlicensed", format="squad", files=["questions.json"])
    shutil.copytree(HOUSE / "pipeline/sample/model", project.folder / "model", ignore=shutil.ignore_patterns("model.bin"))
    result = run(environment, "run", project.profile(**settings), "--store", tmp_path / "store")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert list((tmp_path / "store").rglob("*")) == []


def test_a_store_that_cannot_be_written_to_is_one_line_and_exit_code_2(
    project: Project, tmp_path: Path, environment: dict[str, str]
) -> None:
    project.source("questions", [ALDO])
    (tmp_path / "file").write_text("in the way")
    result = run(environment, "run", project.profile(), "--store", tmp_path / "file" / "store")
    assert result.returncode == 2
    assert result.stderr.startswith("error: store ")
    assert "cannot be written to (Not a directory): choose another --store" in result.stderr
    assert result.stderr.count("\n") == 1


COMMANDS = [[], ["run"], ["download"], ["translate"], ["filter"], ["publish"], ["batches"], ["model", "convert"], ["model", "info"]]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_has_help(environment: dict[str, str], arguments: list[str]) -> None:
    result = run(environment, *arguments, "--help")
    assert result.returncode == 0
    assert "Usage: parallel-qa" in result.stdout


def test_prefect_deploys_what_prefect_yaml_says(environment: dict[str, str]) -> None:
    import yaml
    from prefect.flows import load_flow_from_entrypoint

    content = yaml.safe_load((HOUSE / "prefect.yaml").read_text(encoding="utf-8"))
    names = []
    for deployment in content["deployments"]:
        flow = load_flow_from_entrypoint(str(HOUSE / deployment["entrypoint"].split(":")[0]) + ":" + deployment["entrypoint"].split(":")[1])
        flow.validate_parameters(deployment["parameters"])
        names.append(f"{flow.name}/{deployment['name']}")
    assert names == ["refresh/nightly", "translate/nightly"]


def test_what_was_made_is_seen_checked_compared_and_exported(project: Project, tmp_path: Path, environment: dict[str, str]) -> None:
    project.source("questions", [ALDO])
    profile, store = project.profile(), tmp_path / "store"
    assert run(environment, "run", profile, "--store", store).returncode == 0
    first = json.loads((store / "releases/latest.json").read_bytes())["version"]

    page = run(environment, "report", profile, "--store", store, "--output", tmp_path / "report.html")
    assert (page.returncode, page.stdout) == (0, f"Report: {tmp_path}/report.html\n")
    assert "Der Fluss Aldo" in (tmp_path / "report.html").read_text(encoding="utf-8")
    preview = run(environment, "filter", profile, "--store", store, "--dry-run", "--set", "min_chrf=100")
    assert preview.returncode == 0 and "kept then" in preview.stdout
    refused = run(environment, "filter", profile, "--store", store, "--set", "min_chrf=100")
    assert (refused.returncode, refused.stderr.strip()[:37]) == (2, "error: --set goes with --dry-run: wri")
    proposed = run(environment, "calibrate", profile, "--store", store, "--keep", "0.5")
    assert proposed.stdout.startswith("filters:\n") and "Kept of texts:" in proposed.stderr

    assert run(environment, "mine", profile, "--store", store, "--negatives", "1").returncode == 0
    compared = run(environment, "diff", store / "releases" / first, store, "--json")
    assert json.loads(compared.stdout)["settings"]["settings.release.mined_negatives"] == {"before": 0, "after": 1}
    exported = run(environment, "export", store, "--format", "beir", "--direction", "de-en", "--output", tmp_path / "beir")
    assert exported.stdout == f"1 examples: {tmp_path}/beir\n"
    shown = run(environment, "publish", profile, "--store", store, "--push-to-hub", "org/name", "--dry-run")
    assert shown.returncode == 0 and "would go to org/name." in shown.stdout

    sound = run(environment, "verify", store)
    assert (sound.returncode, sound.stdout) == (0, "All is as the manifest says.\n")
    card = store / "releases" / first / "README.md"
    card.write_text("changed", encoding="utf-8")
    broken = run(environment, "verify", store / "releases" / first)
    assert broken.returncode == 1
    assert "README.md: has 7 bytes" in broken.stderr


def test_an_unknown_licence_stops_a_run_before_any_work(project: Project, tmp_path: Path, environment: dict[str, str]) -> None:
    project.source("questions", [ALDO])
    card = project.folder / "questions.md"
    card.write_text(re.sub(r"licence: .*", "licence: NOASSERTION", card.read_text(encoding="utf-8")), encoding="utf-8")
    stopped = run(environment, "run", project.profile(), "--store", tmp_path / "store")
    assert stopped.returncode == 2
    assert "source questions: its licence, NOASSERTION, says nothing that is known" in stopped.stderr
    assert not list((tmp_path / "store").glob("*"))
    decided = project.profile(release={"licence": "CC-BY-4.0"})
    assert run(environment, "run", decided, "--store", tmp_path / "store").returncode == 0
    manifest = json.loads(next((tmp_path / "store/releases").glob("test-*/manifest.json")).read_bytes())
    assert (manifest["licence"], manifest["licences"]["decided_by_user"]) == ("CC-BY-4.0", True)
