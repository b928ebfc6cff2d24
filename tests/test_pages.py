"""What the pages for people name is there: files, links, modules, commands and their options; and the map has every room."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from parallel_qa.flows.cli import app
from parallel_qa.pipeline.settings import HOUSE

PAGES = [
    HOUSE / "README.md",
    HOUSE / "pipeline/sample/model/README.md",
    *sorted(HOUSE.glob("docs/*.md")),
    *sorted(HOUSE.glob("data_cards/*.md")),
    *sorted(HOUSE.glob("profiles/*.yaml")),
    HOUSE / "prefect.yaml",
    *sorted(HOUSE.glob("docker/*")),
]
TOP = sorted(path.name for path in HOUSE.iterdir() if path.is_dir() and not path.name.startswith("."))
ROOMS = sorted(path.name for path in (HOUSE / "pipeline").iterdir() if (path / "__init__.py").is_file())
PATH = re.compile(rf"(?<![\w/.-])(?:(?:{'|'.join((*TOP, *ROOMS))})/[\w./-]*\w/?|[\w]+\.py)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MODULE = re.compile(r"python -m ((?:pipeline|benchmarks|parallel_qa)[\w.]*)")
COMMAND = re.compile(r"(?:\$ )?parallel-qa (?=[a-z])([^#]+)")


def code(page: Path) -> list[str]:
    """What a page has in backticks, and the lines of its blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    return [
        *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)),
        *(line for block in blocks for line in block.splitlines()),
    ]


def exists(path: str, page: Path) -> bool:
    """Whether there is such a file: from the top, or inside the room or page that speaks of it."""
    if "/" not in path:
        return any(HOUSE.rglob(path))
    return any((folder / path).exists() for folder in (HOUSE, HOUSE / "pipeline", HOUSE / "pipeline/sample", page.parent))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOUSE)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = {path for part in code(page) for path in PATH.findall(part) if not part.startswith(("http", "store/"))}
    assert [path for path in sorted(named) if not exists(path, page)] == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: str(page.relative_to(HOUSE)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" not in link:
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_module_that_a_page_runs_is_there() -> None:
    named = {module for page in PAGES for module in MODULE.findall(page.read_text(encoding="utf-8"))}
    assert {"benchmarks.sources", "pipeline.sample.train"} <= named
    for module in named:
        assert importlib.util.find_spec(module if module.startswith("benchmarks") else f"parallel_qa.{module}"), module


def command_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for match in filter(None, map(COMMAND.match, code(page))):
            yield page.name, match[1]


def test_every_command_and_option_that_a_page_shows_is_there() -> None:
    shown = list(command_lines())
    assert len(shown) > 30
    for page, line in shown:
        command = typer.main.get_command(app)
        words = re.split(r"[\s\[\]]+", line)
        while words and hasattr(command, "commands"):
            name = words.pop(0).rstrip(".,:;)'\"")
            assert name in command.commands, f"{page}: parallel-qa {line}"
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        given = {word.rstrip(".,:;)").partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options | {"--help"}, f"{page}: parallel-qa {line}"


def test_the_map_has_every_room_and_every_module_of_the_base() -> None:
    page = (HOUSE / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = page.split("## Rooms")[1].split("```")[1]
    folders = [
        path
        for path in HOUSE.iterdir()
        if (path / "__init__.py").is_file() or path.name in {"data_cards", "docker", "examples", "profiles"}
    ]
    inside = [path.parent for path in (HOUSE / "pipeline").rglob("__init__.py") if path.parent != HOUSE / "pipeline"]
    modules = [path.name for path in (HOUSE / "pipeline").glob("*.py") if path.name not in {"__init__.py", "__main__.py"}]
    assert [path.name for path in (*folders, *inside) if f"{path.name}/" not in rooms] == []
    assert [name for name in modules if name not in rooms] == []
