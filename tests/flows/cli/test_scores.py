from __future__ import annotations

import json
from pathlib import Path

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store
from tests.command_line import CommandLine
from tests.flows.cli.conftest import FinishedRun


def test_a_report_is_written_and_its_place_is_told(finished: FinishedRun, tmp_path: Path, cli: CommandLine) -> None:
    page = tmp_path / "a [red] report.html"
    result = cli.run("report", finished.profile, "--store", finished.store, "--output", page)
    assert (result.returncode, result.stdout) == (0, f"Report: {page}\n")
    assert "Der Fluss Aldo" in page.read_text(encoding="utf-8")


def test_what_another_threshold_would_keep_is_shown_beside_what_is_kept(finished: FinishedRun, cli: CommandLine) -> None:
    result = cli.run("filter", finished.profile, "--store", finished.store, "--dry-run", "--set", "min_chrf=100")
    assert result.returncode == 0, result.stderr
    assert "kept then" in result.stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if line.startswith("│")]
    assert [row[:4] for row in rows] == [
        ["questions", code, table, "1"] for table in ("queries", "passages") for code in ("deu_Latn", "arb_Arab")
    ]


def test_a_threshold_to_try_is_refused_without_a_dry_run(finished: FinishedRun, cli: CommandLine) -> None:
    refused = cli.run("filter", finished.profile, "--store", finished.store, "--set", "min_chrf=100")
    message = "error: --set goes with --dry-run: write the threshold into the profile to keep it\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", message)


def test_thresholds_are_proposed_from_scores_and_from_verdicts(finished: FinishedRun, tmp_path: Path, cli: CommandLine) -> None:
    proposed = cli.run("calibrate", finished.profile, "--store", finished.store, "--keep", "0.5")
    assert proposed.stdout.startswith("filters:\n")
    assert proposed.stderr.startswith("From 4 texts. Kept of texts: ")
    apart = cli.run("calibrate", finished.profile, "--store", finished.store, "--per-language")
    assert apart.stderr.splitlines()[1:] == [f"No exception for {code}: 2 texts, fewer than 20." for code in ("deu_Latn", "arb_Arab")]
    file = tmp_path / "verdicts.json"
    plan = Plan(load_settings(str(finished.profile)), Store(str(finished.store), writable=False))
    shard = plan.scored_shards[0]
    verdict = {"language": shard.language, "table": shard.table, "id": shard.read(plan.store)["id"][0].as_py(), "good": True}
    file.write_text(json.dumps({"format": 3, "name": "test", "verdicts": [verdict | {"sample": "random"}]}), encoding="utf-8")
    judged = cli.run("calibrate", finished.profile, "--store", finished.store, "--verdicts", file)
    assert judged.returncode == 0 and "From 1 texts judged, 1 of them drawn at random." in judged.stderr.splitlines()
    file.write_text(json.dumps({"format": 1, "name": "test"}), encoding="utf-8")
    refused = cli.run("calibrate", finished.profile, "--store", finished.store, "--verdicts", file)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {tmp_path}/verdicts.json: ")
