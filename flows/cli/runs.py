"""Commands that do work in a store: all of a run, what it will take and how far it is, and each of its first stages."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Column, Table

from parallel_qa.flows.cli.console import ProfileArgument, StoreOption, err, out, print_line
from parallel_qa.flows.cli.summary import print_outcome, print_release
from parallel_qa.flows.display import progress_bars

app = typer.Typer()


def check_run(profile: str, store: str, *stages: str, runner: str = "auto") -> None:
    """Check all that `stages` need before they are started. Raises UserError that says what is wrong and how to mend it.

    Later stages go by what the store has: they need neither the files of evaluation sets ("prepare") nor a model ("translate").
    """
    from parallel_qa.flows.steps import check_machine
    from parallel_qa.pipeline.languages import LANGUAGES
    from parallel_qa.pipeline.release.making.publish import check_licences
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.sources.evaluation import evaluation_cards
    from parallel_qa.pipeline.store import Store
    from parallel_qa.pipeline.translation.model_finding import check_model

    settings = load_settings(profile)
    check_licences(settings)
    if "prepare" in stages:
        evaluation_cards(settings)
    if "translate" in stages:
        check_machine(settings, runner)
        check_model(settings.translation, settings.folder, map(LANGUAGES.find, settings.languages))
    Store(store)


@app.command()
def run(profile: ProfileArgument, store: StoreOption) -> None:
    """Run all four stages: prepare, translate, filter and publish.

    Only what the store does not hold yet is done: run it again after a break, a new row or a new language.
    """
    check_run(profile, store, "prepare", "translate")
    with progress_bars(err):
        from parallel_qa.flows.refresh import refresh

        refreshed = refresh(profile, store)
    print_outcome(refreshed.outcome, refreshed.release.new)
    print_release(refreshed.release, store)


@app.command()
def plan(
    profile: ProfileArgument,
    store: StoreOption,
    tokens_per_second: Annotated[
        float | None, typer.Option(help="How fast the model writes; if not given, as in this store before, else as published.", min=0.001)
    ] = None,
    times: Annotated[int, typer.Option(help="For so many times the texts, in a new store.", min=1)] = 1,
) -> None:
    """Print what a run will take before anything is spent: units, files, bytes, tokens and time."""
    from parallel_qa.flows.cli.estimates import print_estimate
    from parallel_qa.pipeline.planning.estimate import estimate
    from parallel_qa.pipeline.planning.plan import Plan
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    run = Plan(load_settings(profile), Store(store, writable=False))
    print_estimate(estimate(run, tokens_per_second, times))
    if run.note:
        print_line(run.note)


@app.command()
def status(profile: ProfileArgument, store: StoreOption) -> None:
    """Print how far a run is: of each step, how many of its units the store holds."""
    from parallel_qa.pipeline.planning.plan import Plan
    from parallel_qa.pipeline.planning.status import status as status_of_steps
    from parallel_qa.pipeline.planning.status import step_status
    from parallel_qa.pipeline.release.making.publish import mining_step
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    run = Plan(load_settings(profile), Store(store, writable=False))
    table = Table("stage", "step", *(Column(name, justify="right") for name in ("in the store", "of")))
    reasons: dict[str, None] = {}
    for step in [*status_of_steps(run), *step_status(run, "publish", "mine", lambda plan: mining_step(plan).units)]:
        known = step.units is not None
        table.add_row(step.stage, step.name, *((f"{step.held:,}", f"{step.units:,}") if known else ("not known yet", "")))
        if step.reason:
            reasons[step.reason] = None
    out.print(table)
    for reason in reasons:
        print_line(f"Not known yet: {reason}")
    if run.note:
        print_line(run.note)


@app.command()
def prepare(profile: ProfileArgument, store: StoreOption) -> None:
    """Stage 1: read the sources; clean and deduplicate their rows, and keep evaluation data out."""
    check_run(profile, store, "prepare")
    with progress_bars(err):
        from parallel_qa.flows.prepare import prepare as prepare_flow

        outcome = prepare_flow(profile, store)
    print_outcome(outcome)


@app.command()
def translate(
    profile: ProfileArgument,
    store: StoreOption,
    part: Annotated[str, typer.Option(help="2/3: every third unit from the second on, so that three workers share a store.")] = "1/1",
    runner: Annotated[str, typer.Option(help="auto, threads, processes, dask or ray.")] = "auto",
) -> None:
    """Stage 2: translate every unique sentence into every language, and back."""
    check_run(profile, store, "translate", runner=runner)
    with progress_bars(err):
        from parallel_qa.flows.translate import translate as translate_flow

        outcome = translate_flow(profile, store, part, runner)
    print_outcome(outcome)
