"""The command `parallel-qa`: one file a group of commands.

A command imports what it works with when it is called: `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import logging
import os
import sys

import typer
from rich.logging import RichHandler

from parallel_qa.flows.cli import batches, models, releases, runs, scores, sources
from parallel_qa.flows.cli.console import err
from parallel_qa.pipeline.errors import UserError

app = typer.Typer(
    name="parallel-qa",
    help="Turn English question-answering sets into parallel, checked, multilingual training data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (runs, scores, releases, batches):
    app.add_typer(group.app)
app.add_typer(models.app, name="model")
app.add_typer(sources.app, name="sources")


def main() -> None:
    """Run the command; exit code 0 if all is well, 2 if the user can mend what is wrong, 1 for anything else."""
    _set_up_prefect()
    _show_warnings()
    try:
        app(prog_name=app.info.name)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:  # a command imports what it works with before it starts
        if not error.name or error.name.startswith("parallel_qa"):
            raise
        print(f"error: {error.name} is not installed: pip install 'parallel-qa[run]'", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, run the same command to go on", file=sys.stderr)
        sys.exit(130)


def _set_up_prefect() -> None:
    """Settings that the user's own come before. Prefect reads them when it is imported."""
    # `main` reports what fails, once, without Prefect's stack of states.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    # Where no server runs, Prefect starts one for the command; on a busy machine that takes longer than the 20 s it allows.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")


def _show_warnings() -> None:
    """Log warnings to the terminal, between the bars; elsewhere as lines with a time."""
    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False) if err.is_terminal else logging.StreamHandler()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s" if err.is_terminal else "%(asctime)s %(message)s")
