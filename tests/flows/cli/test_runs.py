from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from parallel_qa.pipeline.settings import HOUSE
from tests.command_line import CommandLine
from tests.project import Project


def test_a_run_ends_by_showing_what_was_made_and_does_nothing_twice(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    without_server = CommandLine(tmp_path)
    first = without_server.run("run", aldo.profile(), "--store", tmp_path / "store")
    assert (first.returncode, first.stderr.count("error")) == (0, 0), first.stderr
    assert "Done: 11 units of work; 0 were in the store already." in first.stdout
    assert "Release test-" in first.stdout
    second = cli.run("run", aldo.profile(), "--store", tmp_path / "store")
    assert second.returncode == 0
    assert "Nothing to do: all 11 units of work are in the store already." in second.stdout
    assert "(unchanged)" in second.stdout


def test_a_stage_does_its_own_units_only(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    result = cli.run("prepare", aldo.profile(), "--store", tmp_path / "store")
    assert (result.returncode, result.stdout) == (0, "Done: 1 units of work; 0 were in the store already.\n"), result.stderr
    (record,) = (tmp_path / "store").rglob("record.json")
    assert record.relative_to(tmp_path / "store").parts[:2] == ("english", "questions")


def test_a_killed_run_goes_on_where_it_was(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    profile = aldo.profile(languages=["de", "es", "ru", "hi", "ar", "zh", "th", "tr", "sw"])
    store = tmp_path / "store"
    process = cli.start("run", profile, "--store", store)
    deadline = time.monotonic() + 120
    while len(list(store.glob("back_translated/*/questions/*/*/record.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in store.rglob("record.json")}
    assert len(finished) >= 5
    assert not (store / "releases").exists()
    again = cli.run("run", profile, "--store", store)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    whole = cli.run("run", profile, "--store", tmp_path / "whole")
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
        ({"translation": {"gpus": [99]}}, "translation.gpus: GPU 99 is not to be had here"),
        (
            {"translation": {"device": "cpu", "compute_type": "float8"}},
            "translation.compute_type: 'float8' is not to be had on this cpu: take",
        ),
        ({"translation": {"back": {"model": "Helsinki-NLP/opus-mt-de-en"}}}, "translation.back.revision: pin Helsinki-NLP/opus-mt-de-en"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    aldo: Project, tmp_path: Path, cli: CommandLine, settings: dict[str, object], message: str
) -> None:
    aldo.card("unlicensed", format="squad", files=["questions.json"])
    shutil.copytree(HOUSE / "pipeline/sample/model", aldo.folder / "model", ignore=shutil.ignore_patterns("model.bin"))
    result = cli.run("run", aldo.profile(**settings), "--store", tmp_path / "store")
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert list((tmp_path / "store").rglob("*")) == []


def test_a_store_that_cannot_be_written_to_is_one_line_and_exit_code_2(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    (tmp_path / "file").write_text("in the way")
    result = cli.run("run", aldo.profile(), "--store", tmp_path / "file" / "store")
    assert result.returncode == 2
    assert result.stderr.startswith("error: store ")
    assert "cannot be written to (Not a directory): choose another --store" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_licence_stops_a_run_before_any_work(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    card = aldo.folder / "questions.md"
    card.write_text(re.sub(r"licence: .*", "licence: NOASSERTION", card.read_text(encoding="utf-8")), encoding="utf-8")
    stopped = cli.run("run", aldo.profile(), "--store", tmp_path / "store")
    assert stopped.returncode == 2
    assert "source questions: its licence, NOASSERTION, says nothing that is known" in stopped.stderr
    assert not list((tmp_path / "store").glob("*"))
    decided = aldo.profile(release={"licence": "CC-BY-4.0"})
    assert cli.run("run", decided, "--store", tmp_path / "store").returncode == 0
    manifest = json.loads(next((tmp_path / "store/releases").glob("test-*/manifest.json")).read_bytes())
    assert (manifest["licence"], manifest["licences"]["decided_by_user"]) == ("CC-BY-4.0", True)


def test_status_says_how_far_a_run_is(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    def told() -> str:
        result = cli.run("status", aldo.profile(), "--store", tmp_path / "store")
        assert (result.returncode, result.stderr) == (0, "")
        return " ".join(re.sub(r"[^\w:,./' -]", " ", result.stdout).split())

    before = told()
    assert "prepare prepare 0 1 translate segment not known yet" in before
    assert before.count("Not known yet:") == 1
    assert not (tmp_path / "store").exists()
    assert cli.run("run", aldo.profile(), "--store", tmp_path / "store").returncode == 0
    steps = "prepare prepare 1 1 translate segment 2 2 translate translate 2 2 filter filter 4 4 filter compare 2 2"
    assert told().endswith(steps)


def test_filter_and_publish_need_no_model(aldo: Project, tmp_path: Path, cli: CommandLine) -> None:
    shutil.copytree(HOUSE / "pipeline/sample/model", aldo.folder / "model")
    profile = aldo.profile(translation={"model": "./model"}, languages=["de"])
    for command in ("prepare", "translate"):
        assert cli.run(command, profile, "--store", tmp_path / "store").returncode == 0
    shutil.rmtree(aldo.folder / "model")
    for command in ("filter", "publish"):
        result = cli.run(command, profile, "--store", tmp_path / "store")
        assert result.returncode == 0, result.stderr
    result = cli.run("translate", profile, "--store", tmp_path / "store")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "translation.model: './model' is neither 'sample', nor a folder, nor a hub id" in result.stderr
