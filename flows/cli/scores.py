"""Commands about scores and thresholds: filter, what other thresholds would keep, a report, and which languages can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from parallel_qa.flows.cli.console import ProfileArgument, StoreOption, err, out, print_line
from parallel_qa.flows.cli.summary import print_outcome
from parallel_qa.flows.display import progress_bars
from parallel_qa.pipeline.errors import UserError

app = typer.Typer()


@app.command("filter")
def filter_texts(
    profile: ProfileArgument,
    store: StoreOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Score nothing; show what the thresholds would keep.")] = False,
    changed: Annotated[list[str] | None, typer.Option("--set", help="With --dry-run, another threshold: min_names=0.5; repeat it.")] = None,
) -> None:
    """Stage 3: score every translated text and show what the thresholds keep."""
    from parallel_qa.pipeline.filters.review.proposal import tallies, with_thresholds
    from parallel_qa.pipeline.planning.plan import Plan
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    settings = load_settings(profile)
    if changed and not dry_run:
        raise UserError("--set goes with --dry-run: write the threshold into the profile to keep it")
    filters = [settings.filters]
    if changed:
        filters.append(with_thresholds(settings, changed).filters)
    if not dry_run:
        with progress_bars(err):
            from parallel_qa.flows.filter import filter_texts as filter_flow

            outcome = filter_flow(profile, store)
        print_outcome(outcome)
    columns = ["source", "language", "table", "read", "kept", *(["kept then"] if changed else [])]
    table = Table(*(Column(name, no_wrap=True) for name in columns), "rejected")
    plan = Plan(settings, Store(store, writable=not dry_run))
    for (source, code, name), counts in tallies(plan.scored_shards, plan.store, filters).items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts[-1].rejected.most_common())
        table.add_row(source, code, name, str(counts[0].read), *(str(count.kept) for count in counts), reasons)
    out.print(table)


@app.command()
def calibrate(
    profile: ProfileArgument,
    store: StoreOption,
    keep: Annotated[float, typer.Option(help="The share of (good) texts to keep.", min=0.01, max=0.999)] = 0.95,
    verdicts: Annotated[Path | None, typer.Option(help="Verdicts that the report exported: what is good and what is bad.")] = None,
    per_language: Annotated[bool, typer.Option("--per-language", help="Thresholds for each language.")] = False,
    per_kind: Annotated[bool, typer.Option("--per-kind", help="Thresholds for questions and for passages.")] = False,
) -> None:
    """Propose thresholds from the scores of a run that was filtered, to paste into its profile."""
    from parallel_qa.pipeline.filters.review.proposal import propose_filters
    from parallel_qa.pipeline.filters.review.verdicts import load_verdicts
    from parallel_qa.pipeline.planning.plan import Plan
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    plan = Plan(load_settings(profile), Store(store, writable=False))
    given = load_verdicts(verdicts) if verdicts else None
    proposal = propose_filters(plan.settings.filters, plan.scored_shards, plan.store, keep, given, per_language, per_kind)
    out.print(proposal.to_yaml(), markup=False, highlight=False, end="")
    for line in proposal.summary():
        print_line(line, err)


@app.command()
def report(
    profile: ProfileArgument,
    store: StoreOption,
    output: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    rows: Annotated[
        int, typer.Option(help="Texts to show: at random of each language, of each source and table, and of each reason.", min=1)
    ] = 100,
) -> None:
    """Write one HTML page about a run that was filtered: counts, scores, what was rejected and what was kept."""
    from parallel_qa.pipeline import pages
    from parallel_qa.pipeline.filters.review.report import report_page
    from parallel_qa.pipeline.planning.candidate_facts import candidate_facts
    from parallel_qa.pipeline.planning.plan import Plan
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    pages.check_place(output)
    plan = Plan(load_settings(profile), Store(store, writable=False))
    pages.write(report_page(plan.settings, plan.scored_shards, plan.store, rows, candidate_facts(plan)), output)
    print_line(f"Report: {output}")


@app.command()
def languages() -> None:
    """List NLLB's languages and what says whether a text is in them, as a Markdown table."""
    from parallel_qa.pipeline.identification import languages_table

    print(languages_table())
