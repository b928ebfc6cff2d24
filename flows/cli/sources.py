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
    from parallel_qa.pipeline.sources.card import Card
    from parallel_qa.pipeline.sources.records import Pair, SetAside

app = typer.Typer(help="Look at data cards, try them and pin them.", no_args_is_help=True)

SHOWN_NEGATIVES = 3
SHOWN_CHARACTERS = 400


ProfileOption = Annotated[str, typer.Option("--profile", help="A profile, or the folder of profiles, beside which `pins.yaml` stands.")]


@app.command("list")
def list_cards(profile: ProfileOption = ".") -> None:
    """List the cards that come with the project."""
    from parallel_qa.pipeline.sources.card import find_card, shipped_cards
    from parallel_qa.pipeline.sources.pinning import unpinned

    table = Table(Column("card", no_wrap=True), "for", "licence", "what it is")
    folder = _folder(profile)
    for name in shipped_cards():
        card = find_card(name, folder)
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
    profile: ProfileOption = ".",
) -> None:
    """Read the first rows of a card and print them mapped; where they cannot be, say what the file has instead."""
    from parallel_qa.pipeline.sources.card_rows import read_rows

    source = _card(card, profile)
    read = 0
    for row in itertools.islice(read_rows(source), rows):
        read += 1
        _print_row(row)
    if not read:
        raise UserError(f"{source.path}: there are no rows: look at `files`, `split`, `items` and `rows` of the card")


@app.command("pin")
def pin_cards(
    cards: Annotated[list[str] | None, typer.Argument(help="Names of shipped cards, or paths of cards of your own.")] = None,
    profile: Annotated[str, typer.Option(help="The profile, or its folder, that a shipped card is pinned for.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All shipped cards that have no commit yet.")] = False,
    branch: Annotated[str, typer.Option(help="Branch whose commit is meant; the card's own revision if not given.")] = "",
) -> None:
    """Find the commit that a card's branch is at now; note it in `pins.yaml` beside the profile, or in a card of your own."""
    from parallel_qa.pipeline.sources.card import shipped_cards
    from parallel_qa.pipeline.sources.pinning import pin, unpinned
    from parallel_qa.pipeline.sources.pins import PINS

    if not cards and not every:
        raise UserError("sources pin: name a card, or give --all")
    to_pin = [_card(name, profile or ".") for name in cards or []]
    if every:
        to_pin += [card for card in (_card(name, profile or ".") for name in shipped_cards()) if card.hub and unpinned(card)]
    for card in to_pin:
        if card.profile_folder and not profile:
            command = f"parallel-qa sources pin {card.path.stem} --profile PROFILE"
            raise UserError(f"sources pin {card.path.stem}: say for which profile: '{command}'")
    for card in to_pin:
        old, new = pin(card, branch)
        print_line(f"{card.profile_folder / PINS if card.profile_folder else card.path}: {card.name}: {old} is now {new}")
    if not to_pin:
        print_line("all shipped cards have a commit")


def _folder(profile: str) -> Path:
    """The folder of a profile; a folder stands for itself."""
    from parallel_qa.pipeline.settings import load_settings

    return Path(profile) if Path(profile).is_dir() else load_settings(profile).folder


def _card(name: str, profile: str) -> Card:
    """A shipped card as `profile` reads it, or the card at the path `name`."""
    from parallel_qa.pipeline.sources.card import find_card

    return find_card(str(Path(name).absolute()) if name.endswith(".md") else name, _folder(profile))


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
