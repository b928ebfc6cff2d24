"""Commands that convert translation models and show what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from parallel_qa.flows.cli.console import out
from parallel_qa.pipeline.errors import UserError

app = typer.Typer(help="Convert and look at translation models.", no_args_is_help=True)


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a Hugging Face checkpoint: NLLB-200, M2M-100, MADLAD-400 or OPUS-MT.")],
    output: Annotated[Path, typer.Argument(help="Folder for the converted model; must not exist.")],
    quantization: Annotated[str, typer.Option(help="int8, float16, int8_float16 or float32.")] = "int8",
    name: Annotated[str | None, typer.Option(help="What the model is called in manifests; the folder's name if not given.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier of the model's licence.")] = None,
) -> None:
    """Convert a checkpoint for CTranslate2 (needs the extra `convert`)."""
    from parallel_qa.pipeline.translation.conversion import convert as convert_checkpoint

    if output.exists():
        raise UserError(f"{output} exists already: choose another folder, or delete it")
    model = convert_checkpoint(checkpoint, output, name=name or output.name, licence=licence, quantization=quantization)
    out.print(f"{model.folder}: {len(model.codes)} languages, fingerprint {model.fingerprint}")


@app.command("list")
def list_models() -> None:
    """List the models on this machine: the sample model, and those converted before."""
    from parallel_qa.pipeline.settings import Environment
    from parallel_qa.pipeline.translation.model_finding import SAMPLE
    from parallel_qa.pipeline.translation.models import MODEL_FILE, open_model

    table = Table("model", "family", "weights", "licence", "languages", "folder")
    for folder in [SAMPLE, *sorted(path.parent for path in Environment().models.glob(f"*/{MODEL_FILE}"))]:
        model = open_model(folder)
        facts = (model.name, model.family.name, model.quantization or "unknown", model.licence or "unknown", str(len(model.codes)))
        table.add_row(*map(escape, facts), escape(str(folder)))
    out.print(table)


@app.command()
def info(folder: Annotated[Path, typer.Argument(help="Folder of a converted model.")]) -> None:
    """Show what a converted model is; checks its files."""
    from parallel_qa.pipeline.translation.models import open_model

    model = open_model(folder)
    table = Table(show_header=False)
    table.add_row("name", model.name)
    table.add_row("family", model.family.name)
    table.add_row("licence", model.licence or "unknown")
    table.add_row("weights", model.quantization or "unknown")
    table.add_row("fingerprint", model.fingerprint)
    table.add_row("languages", ", ".join(sorted(model.codes)))
    out.print(table)
