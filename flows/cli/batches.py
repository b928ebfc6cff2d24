"""The command `batches`: what training would see of a release."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from parallel_qa.flows.cli.console import ReleaseArgument, err, out, print_line
from parallel_qa.flows.display import current_progress, progress_bars
from parallel_qa.pipeline.errors import UserError

if TYPE_CHECKING:
    from parallel_qa.pipeline.batches import Batch
    from parallel_qa.pipeline.batches.opening import ReleaseLoader
    from parallel_qa.pipeline.batches.preview.drawn import Preview, Share

app = typer.Typer()

SHOWN_SHARES = 12
"""Of more shares only those that deviate most are printed."""


@app.command()
def batches(
    release: ReleaseArgument,
    alpha: Annotated[float | None, typer.Option(help="Probability that a batch is monolingual; 0.5 if nothing else is said.")] = None,
    steps: Annotated[int | None, typer.Option(help="Draw so many batches and compare them with what is expected.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a batch; 100 if nothing else is said.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same batches; 0 if nothing else is said.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="A language to use, as code or tag; repeat it. All if none is given.")] = None,
    changed: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, in place of an option too: language_temperature=2; repeat it.")
    ] = None,
    show: Annotated[int, typer.Option(help="Examples to print of each batch.")] = 4,
    output: Annotated[Path | None, typer.Option(help="With --steps, where to write the page; batches.html if not given.")] = None,
) -> None:
    """Print the first monolingual and the first cross-lingual batch that training would see.

    What no option says is as the profile of the release has it in its section `batches`.

    With --steps, print and plot (HTML) the shares of kinds, sources and languages that were drawn and those to expect, repeats in
    an epoch, and some batches.
    """
    from parallel_qa.pipeline import pages
    from parallel_qa.pipeline.batches.preview.drawn import first_batches, preview
    from parallel_qa.pipeline.batches.preview.page import preview_page
    from parallel_qa.pipeline.settings import assignments

    if output is not None and steps is None:
        raise UserError("--output goes with --steps")
    options = {"alpha": alpha, "languages": language, "batch_size": batch_size, "seed": seed}
    given = {name: value for name, value in options.items() if value is not None}
    given |= assignments(changed or [], "language_temperature=2")
    if steps is None:
        for batch in first_batches(_open_loader(release, given)):
            _print_batch(batch, show)
        return
    page = pages.check_place(output or Path("batches.html"))
    loader = _open_loader(release, given)
    with progress_bars(err):
        drawn = preview(loader, steps, current_progress())
    _print_shares(drawn)
    _print_repeats(drawn)
    for batch in drawn.batches:
        _print_batch(batch, show)
    pages.write(preview_page(loader, drawn), page)
    print_line(f"Preview: {page}")


def _open_loader(release: str, given: Mapping[str, Any]) -> ReleaseLoader:
    from parallel_qa.pipeline.batches import open_release

    with progress_bars(err):
        return open_release(release, current_progress()).loader(**given)


def _print_shares(drawn: Preview) -> None:
    from parallel_qa.pipeline.batches.preview.page import headed, in_words

    for heading, shares in headed(drawn).items():
        table = Table(heading, *(Column(name, justify="right") for name in ("drawn", "%", "expected", "deviation")))
        for name, share in _most_deviating(shares).items():
            table.add_row(escape(name), *in_words(share).values())
        out.print(table)
        if len(shares) > SHOWN_SHARES:
            out.print(f"The {SHOWN_SHARES} that deviate most, of {len(shares)}; the page has all.")
    out.print("Deviations are in standard errors of the share drawn.")


def _most_deviating(shares: Mapping[str, Share]) -> Mapping[str, Share]:
    """The shares, if they are few; else the `SHOWN_SHARES` that deviate most, these first."""
    if len(shares) <= SHOWN_SHARES:
        return shares
    ranked = sorted(shares.items(), key=lambda item: -abs(item[1].deviation or 0))
    return dict(ranked[:SHOWN_SHARES])


def _print_repeats(drawn: Preview) -> None:
    from parallel_qa.pipeline.batches.preview.page import epochs_in_words

    table = Table("times drawn", *(Column(name, justify="right") for name in ("pairs", "expected", "passages", "expected")))
    columns = [values for repeats in (drawn.pair_repeats, drawn.passage_repeats) for values in (repeats.drawn, repeats.expected)]
    for times, row in enumerate(zip(*columns, strict=True)):
        if any(round(value, 1) for value in row):
            last = " or more" if times == len(columns[0]) - 1 else ""
            table.add_row(f"{times}{last}", *(f"{value:,.1f}" for value in row))
    out.print(table)
    out.print(f"Repeats: {epochs_in_words(drawn)}.")


def _print_batch(batch: Batch, show: int) -> None:
    title = f"A {batch.kind} batch of {len(batch.queries)} from {batch.source}, its first {min(show, len(batch.queries))}"
    table = Table(title=escape(title), title_justify="left", show_lines=True)
    for column in ("query", "passage", *(["negatives"] if batch.negatives else [])):
        table.add_column(column, overflow="fold")  # some languages write without spaces
    negatives = [["\n".join(texts)] for texts in batch.negatives] or [[] for _ in batch.queries]
    examples = zip(batch.queries, batch.query_languages, batch.passages, batch.passage_languages, negatives, strict=True)
    for query, query_language, passage, passage_language, others in itertools.islice(examples, show):
        texts = (f"{query}  [{query_language}]", f"{passage}  [{passage_language}]", *others)
        table.add_row(*map(escape, texts))
    out.print(table)
