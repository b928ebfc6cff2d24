"""Commands that show data cards, try them and pin them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from parallel_qa.flows.cli.console import CardArgument, out, print_line
from parallel_qa.pipeline.errors import UserError

if TYPE_CHECKING:
    from parallel_qa.pipeline.sources.records import Pair, SetAside

app = typer.Typer(help="Look at data cards, try them and pin them.", no_args_is_help=True)

SHOWN_NEGATIVES = 3
SHOWN_CHARACTERS = 400


@app.command("list")
def list_cards() -> None:
    """List the cards that come with the project."""
    from parallel_qa.pipeline.sources.card import find_card, shipped_cards
    from parallel_qa.pipeline.sources.fetching import unpinned

    table = Table(Column("card", no_wrap=True), "for", "licence", "what it is")
    for name in shipped_cards():
        card = find_card(name, Path())
        table.add_row(name, f"{card.role}{' (not pinned)' if unpinned(card) else ''}", escape(card.licence), escape(card.title))
    out.print(table)


@app.command()
def show(card: CardArgument) -> None:
    """Show a card: its configuration and what it says for people."""
    from parallel_qa.pipeline.sources.card import find_card

    print_line(find_card(card, Path()).path.read_text(encoding="utf-8"))


@app.command()
def check(
    card: CardArgument,
    rows: Annotated[int, typer.Option(help="Rows to read.", min=1)] = 5,
) -> None:
    """Read the first rows of a card and print them mapped; where they cannot be, say what the file has instead."""
    from parallel_qa.pipeline.sources.card import find_card
    from parallel_qa.pipeline.sources.card_rows import read_rows

    source = find_card(card, Path())
    read = 0
    for row in itertools.islice(read_rows(source), rows):
        read += 1
        _print_row(row)
    if not read:
        raise UserError(f"{source.path}: there are no rows: look at `files`, `split`, `items` and `rows` of the card")


@app.command("pin")
def pin_cards(
    cards: Annotated[list[str] | None, typer.Argument(help="Names of shipped cards, or paths of cards.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All shipped cards that have no commit yet.")] = False,
    branch: Annotated[str, typer.Option(help="Branch whose commit is meant; the card's own revision if not given.")] = "",
) -> None:
    """Find the commit that a card's branch is at now, and write it into the card."""
    from parallel_qa.pipeline.sources.card import find_card, shipped_cards
    from parallel_qa.pipeline.sources.fetching import pin, unpinned

    to_pin = [find_card(name, Path()) for name in (cards or [])]
    if every:
        to_pin += [card for card in (find_card(name, Path()) for name in shipped_cards()) if unpinned(card)]
    if not to_pin:
        raise UserError("sources pin: name a card, or give --all")
    for card in to_pin:
        old, new = pin(card, branch)
        print_line(f"{card.path}: {old} is now {new}")


def _print_row(row: Pair | SetAside) -> None:
    from parallel_qa.pipeline.sources.records import Pair, SetAside

    table = Table(show_header=False, title=escape(row.position), title_justify="left")
    if isinstance(row, SetAside):
        table.add_row("set aside", row.reason)
    for name in ("query", "title", "passage", "answer", "detail"):
        value = getattr(row, name, None)
        if value:
            table.add_row(name, escape(_shortened(value)))
    if isinstance(row, Pair):
        for negative in row.negatives[:SHOWN_NEGATIVES]:
            table.add_row("negative", escape(_shortened(negative.text)))
        if len(row.negatives) > SHOWN_NEGATIVES:
            table.add_row("", f"and {len(row.negatives) - SHOWN_NEGATIVES} more negatives")
    out.print(table)


def _shortened(text: str) -> str:
    printable = text.encode(errors="backslashreplace").decode()
    if len(printable) <= SHOWN_CHARACTERS:
        return printable
    return f"{printable[:SHOWN_CHARACTERS]} … ({len(text)} characters)"
