"""HTML pages that need nothing beside them: one template, figures by plotly, nothing from a network.

Texts are escaped by the template, or go into the page as JSON and are shown as text, never as markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
import plotly.io
import plotly.offline

from parallel_qa.pipeline.errors import UserError


def render(package: str, template: str, figures: Iterable[go.Figure], **values: Any) -> str:
    """A page: `template` of `package`, which extends page.html.jinja, with the HTML of `figures` under that name and `values`."""
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("parallel_qa.pipeline")]
    templates = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=True
    )
    drawn = [
        plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, div_id=f"figure-{number}")
        for number, figure in enumerate(figures)
    ]
    page: str = templates.get_template(template).render(figures=drawn, plotly=plotly.offline.get_plotlyjs(), **values)
    return page


def figure(title: str) -> go.Figure:
    """An empty figure in the style of all pages."""
    margin = {"l": 50, "r": 10, "t": 40, "b": 30}
    return go.Figure(layout={"title": title, "height": 280, "margin": margin, "template": "plotly_white"})


def script_json(content: Any) -> str:
    """`content` as JSON that ends no script element."""
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def check_place(path: Path) -> Path:
    """`path`, where a page is to be written. Raises UserError, before any work, where that cannot be."""
    if not path.parent.is_dir():
        raise UserError(f"{path}: cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"{path}: cannot be written: it is a folder; name a file")
    return path


def write(page: str, path: Path) -> None:
    """Write a page to a file. Raises UserError where that cannot be."""
    try:
        check_place(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
