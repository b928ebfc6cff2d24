"""Do the cards of a release, for people and for machines, say what its manifest says?"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.layout.croissant import croissant
from parallel_qa.pipeline.release.layout.front_matter import front_matter
from parallel_qa.pipeline.release.layout.manifest import models_of
from parallel_qa.pipeline.release.reading.checks.checked_files import CheckedFiles
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault

CARD = "README.md"
CROISSANT = "croissant.json"

_LONGEST = 200  # characters of what is not said


def check_cards(files: CheckedFiles, claims: Claims) -> Iterator[Fault]:
    """Compare `README.md` and `croissant.json` with what follows from the manifest: all but their sentences."""
    if set(claims.languages) - {language.code for language in LANGUAGES}:
        return  # named elsewhere, and no card speaks of it
    for name, faults in ((CARD, _card_faults), (CROISSANT, _croissant_faults)):
        if name not in claims.files:
            yield Fault(name, "is not in the manifest")
            continue
        content, wrong = files.content(name)
        yield from wrong
        if content is not None:
            yield from (Fault(name, what) for what in faults(content.decode(errors="replace"), claims))


def _card_faults(text: str, claims: Claims) -> Iterator[str]:
    said, expected = _front_matter(text), front_matter(dict(claims.manifest))
    if said is None:
        yield "has no front matter"
        return
    yield from _differing(said, expected, "its front matter has")
    lines = {_shown(line) for line in text.splitlines()}
    whole = "\n".join(lines)
    for what, name in _named(claims):
        if _one_line(name) not in whole and _one_line(name) not in text:
            yield f"does not name the {what} of the manifest"
    for part, licence in claims.manifest["licences"]["parts"].items():
        if _one_line(f"| {part} | {licence} |") not in lines:
            yield f"does not say of {part[:_LONGEST]} that its licence is {licence[:_LONGEST]}"
    for conflict in claims.manifest["licences"].get("conflicts", []):
        if _one_line(f"- {conflict}") not in lines:
            yield f"does not say that {conflict[:_LONGEST]}"


def _named(claims: Claims) -> Iterator[tuple[str, str]]:
    """What the text of a card has to name."""
    yield "version", str(claims.manifest["version"])
    yield "licence", str(claims.manifest["licence"])
    for facts in models_of(claims.manifest):
        yield "model", str(facts["name"])
    for entry in claims.manifest["evaluation"]["sets"]:
        yield "evaluation sets", str(entry.get("name"))


def _shown(line: str) -> str:
    """A line of Markdown as a reader sees it: without the marks that keep characters from being Markdown."""
    return _one_line(html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _front_matter(text: str) -> dict[str, Any] | None:
    """The YAML between the two lines of dashes that a card begins with."""
    opening, separator, rest = text.partition("---\n")
    front, closing, _ = rest.partition("\n---\n")
    if opening or not separator or not closing:
        return None
    try:
        content = yaml.safe_load(front)
    except (yaml.YAMLError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _croissant_faults(text: str, claims: Claims) -> Iterator[str]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        yield "is no JSON object"
        return
    yield from _differing(_facts(said), _facts(croissant(dict(claims.manifest), claims.profile.name)), "has")


def _facts(value: Any) -> Any:
    """The same without descriptions."""
    if isinstance(value, dict):
        return {name: _facts(inner) for name, inner in value.items() if name != "description"}
    return [_facts(inner) for inner in value] if isinstance(value, list) else value


def _differing(said: dict[str, Any], expected: dict[str, Any], start: str) -> Iterator[str]:
    """What is said of fields at the top, one by one."""
    for name in sorted({str(name) for name in said} | set(expected)):
        if said.get(name) != expected.get(name):
            yield f"{start} another {name} than follows from the manifest"
