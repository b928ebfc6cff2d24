"""What the commands share: where they print, and the arguments that several of them have."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

ProfileArgument = Annotated[str, typer.Argument(help="A ready profile (sample, nllb, paper) or the path of a YAML file.")]
StoreOption = Annotated[str, typer.Option("--store", help="Where everything is kept: a folder or an s3:// address.")]
ReleaseArgument = Annotated[str, typer.Argument(help="The folder of a release, or a store, whose latest release is meant.")]
CardArgument = Annotated[str, typer.Argument(help="The name of a shipped card, or the path of one.")]


def print_line(text: str, console: Console = out) -> None:
    """Print one line as it is: not broken at the terminal's width, nothing in it taken for markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
