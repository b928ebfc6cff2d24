from __future__ import annotations

import subprocess
import sys

import pytest

from tests.command_line import CommandLine

COMMANDS = [
    *([name] for name in ("run", "plan", "prepare", "translate", "filter", "calibrate", "report", "languages")),
    *([name] for name in ("publish", "mine", "verify", "diff", "export", "batches")),
    *(["model", name] for name in ("convert", "list", "info")),
    *(["sources", name] for name in ("list", "show", "check", "pin")),
]


@pytest.mark.parametrize("arguments", [[], ["model"], ["sources"], *COMMANDS], ids=" ".join)
def test_every_command_has_help(cli: CommandLine, arguments: list[str]) -> None:
    result = cli.run(*arguments, "--help")
    assert result.returncode == 0
    assert " ".join(["Usage: parallel-qa", *arguments]) in result.stdout


def test_the_command_is_a_module_too() -> None:
    module = [sys.executable, "-m", "parallel_qa.flows.cli", "filter", "--help"]
    assert "Usage: parallel-qa filter" in subprocess.run(module, capture_output=True, text=True, check=True).stdout


def test_help_is_there_before_anything_heavy_is_imported() -> None:
    program = "import sys, parallel_qa.flows.cli; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in imported
    own = {name for name in imported if name.startswith("parallel_qa.pipeline.")}
    assert own == {"parallel_qa.pipeline.errors", "parallel_qa.pipeline.progress"}
    assert not {"prefect", "pydantic", "numpy", "pyarrow", "duckdb", "ctranslate2", "datasets"} & set(imported)
