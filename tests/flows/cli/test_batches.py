from __future__ import annotations

from pathlib import Path

from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.store import Store
from tests.command_line import CommandLine
from tests.flows.cli.conftest import FinishedRun
from tests.project import Project


def test_the_first_batch_of_each_kind_is_printed(finished: FinishedRun, cli: CommandLine) -> None:
    shown = cli.run("batches", finished.store, "--batch-size", 1, "--language", "en", "--language", "de")
    assert shown.returncode == 0
    assert "A monolingual batch of 1 from questions" in shown.stdout
    assert "A cross-lingual batch of 1 from questions" in shown.stdout


def test_what_training_would_see_is_printed_and_drawn(finished: FinishedRun, tmp_path: Path, cli: CommandLine) -> None:
    page = tmp_path / "page.html"
    batches = ("batches", finished.store, "--batch-size", 1, "--steps", 20, "--output", page)
    shown = cli.run(*batches, "--alpha", 1, "--set", "language_weights={en: 0, ar: 0}", "--set", "query_prefix='Q: '")
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
        refused = cli.run(*batches, *arguments)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert message in refused.stderr
    alone = cli.run("batches", finished.store, "--output", page)
    assert (alone.returncode, alone.stderr) == (2, "error: --output goes with --steps\n")


def test_what_no_option_says_is_as_the_profile_has_it(aldo: Project, store: Store, cli: CommandLine) -> None:
    settings = aldo.settings(languages=["de"], batches={"batch_size": 1, "mode": "monolingual", "query_prefix": "Q: "})
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    assert publish(settings, store).manifest["settings"]["batches"] == {"batch_size": 1, "mode": "monolingual", "query_prefix": "Q: "}
    shown = cli.run("batches", store.root)
    assert shown.returncode == 0, shown.stderr
    assert "A monolingual batch of 1 from questions" in shown.stdout and "Q: " in shown.stdout
    assert "cross-lingual" not in shown.stdout
    other = cli.run("batches", store.root, "--set", "mode=cross-lingual")
    assert "A cross-lingual batch of 1 from questions" in other.stdout and "Q: " in other.stdout
