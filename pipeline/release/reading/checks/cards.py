"""Do the cards of a release, for people and for machines, say what its manifest says?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.reading.checks.checked_files import CheckedFiles
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault

CARD = "README.md"
CROISSANT = "croissant.json"


def check_cards(files: CheckedFiles, claims: Claims) -> Iterator[Fault]:
    """Compare licence, languages and version in `README.md` and `croissant.json` with the manifest."""
    tags = [language.tag for code in claims.languages for language in LANGUAGES if language.code == code]
    for name, faults in ((CARD, _card_faults), (CROISSANT, _croissant_faults)):
        if name not in claims.files:
            yield Fault(name, "is not in the manifest")
            continue
        content, wrong = files.content(name)
        yield from wrong
        if content is not None:
            yield from (Fault(name, what) for what in faults(content.decode(errors="replace"), claims, tags))


def _card_faults(text: str, claims: Claims, tags: list[str]) -> Iterator[str]:
    front = _front_matter(text)
    if front is None:
        yield "has no front matter"
        return
    licence = str(claims.manifest["licence"])
    named = front.get("license_name") if front.get("license") == "other" else front.get("license")
    if str(named).lower() != licence.lower():
        yield "its front matter has another licence than the manifest"
    if front.get("language") != tags:
        yield "its front matter has other languages than the manifest"
    for said, what in ((claims.manifest["version"], "version"), (licence, "licence"), (claims.manifest["model"]["name"], "model")):
        if said not in text:
            yield f"does not name the {what} of the manifest"


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


def _croissant_faults(text: str, claims: Claims, tags: list[str]) -> Iterator[str]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        yield "is no JSON object"
        return
    if said.get("license") != claims.manifest["licence"]:
        yield "has another licence than the manifest"
    if said.get("inLanguage") != tags:
        yield "has other languages than the manifest"
    if not str(said.get("version")).endswith(claims.manifest["version"].rpartition("-")[2]):
        yield "has another version than the manifest"
