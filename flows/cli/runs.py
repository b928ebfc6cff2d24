"""Commands that do work in a store: all of a run, what it would do, and each of its stages but the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from parallel_qa.flows.cli.console import ProfileArgument, StoreOption, err, out
from parallel_qa.flows.cli.summary import print_outcome, print_release
from parallel_qa.flows.display import progress_bars

if TYPE_CHECKING:
    from parallel_qa.pipeline.translation.plan import Step

app = typer.Typer()


def check_run(profile: str, store: str) -> None:
    """Check all that a run needs before it is started. Raises UserError that says what is wrong and how to mend it."""
    from parallel_qa.pipeline.languages import LANGUAGES
    from parallel_qa.pipeline.release.making.publish import check_licences
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.sources.evaluation import evaluation_cards
    from parallel_qa.pipeline.store import Store
    from parallel_qa.pipeline.translation.model_finding import check_model

    settings = load_settings(profile)
    check_licences(settings)
    evaluation_cards(settings)
    check_model(settings.translation, settings.folder, map(LANGUAGES.find, settings.languages))
    Store(store)


@app.command()
def run(profile: ProfileArgument, store: StoreOption) -> None:
    """Run all four stages: prepare, translate, filter and publish.

    Only what the store does not hold yet is done: run it again after a break, a new row or a new language.
    """
    check_run(profile, store)
    with progress_bars(err):
        from parallel_qa.flows.refresh import refresh

        refreshed = refresh(profile, store)
    print_outcome(refreshed.outcome, refreshed.release.new)
    print_release(refreshed.release, store)


@app.command()
def plan(profile: ProfileArgument, store: StoreOption) -> None:
    """Print what a run would do, with estimated tokens and time, before anything is spent."""
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store
    from parallel_qa.pipeline.translation.plan import plan as planned_steps

    table = Table("step", "units to do", "of", "tokens", "time")
    steps = planned_steps(load_settings(profile), Store(store, writable=False))
    for step in steps:
        to_do = "depends" if step.to_do is None else str(step.to_do)
        tokens = "" if step.tokens is None else f"{step.tokens:,}"
        table.add_row(step.name, to_do, str(step.units or ""), tokens, _duration(step))
    out.print(table)
    total = sum(step.tokens or 0 for step in steps)
    out.print(f"At most about {total:,} tokens to write. Times follow from what was done in this store before; nothing was done just now.")


def _duration(step: Step) -> str:
    if step.seconds is None:
        return "unknown" if step.tokens else ""
    return f"{step.seconds / 3600:.1f} h" if step.seconds >= 3600 else f"{step.seconds / 60:.1f} min"


@app.command()
def prepare(profile: ProfileArgument, store: StoreOption) -> None:
    """Stage 1: read the sources; clean and deduplicate their rows, and keep evaluation data out."""
    check_run(profile, store)
    with progress_bars(err):
        from parallel_qa.flows.prepare import prepare as prepare_flow

        outcome = prepare_flow(profile, store)
    print_outcome(outcome)


@app.command()
def translate(
    profile: ProfileArgument,
    store: StoreOption,
    part: Annotated[str, typer.Option(help="2/3: every third unit from the second on, so that three workers share a store.")] = "1/1",
    runner: Annotated[str, typer.Option(help="threads, dask or ray.")] = "threads",
) -> None:
    """Stage 2: translate every unique sentence into every language, and back."""
    check_run(profile, store)
    with progress_bars(err):
        from parallel_qa.flows.translate import translate as translate_flow

        outcome = translate_flow(profile, store, part, runner)
    print_outcome(outcome)
