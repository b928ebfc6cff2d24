"""Does a manifest contradict itself? What it says before any row is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.licences import combine
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, models_of
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault


def check_statement(claims: Claims) -> Iterator[Fault]:
    """Check version, licences, model, sources and evaluation sets against the settings and each other."""
    for field, said, expected in _derived(claims):
        if said != expected:
            yield Fault(MANIFEST, f"{field} is {_short(said)}, and by the rest of the manifest {_short(expected)}")
    if not re.fullmatch(re.escape(claims.profile.name) + "-[0-9a-f]{8}", claims.manifest["version"]):
        yield Fault(MANIFEST, "version is not the name of the settings with a fingerprint of eight hexadecimal digits")
    known = {language.code for language in LANGUAGES}
    for code in claims.languages:
        if code not in known:
            yield Fault(MANIFEST, f"languages has {code}, which is no code of NLLB")
    yield from _check_licences(claims)


def _derived(claims: Claims) -> Iterator[tuple[str, Any, Any]]:
    """What is said in two places: a field, its value, and what it has to be."""
    manifest, profile = claims.manifest, claims.profile
    yield "settings.languages", profile.languages, claims.targets
    yield "settings.sources", sorted(profile.sources), sorted(claims.sources)
    yield "settings.translation.model", profile.translation.model, manifest["model"]["name"]
    yield "settings.evaluation", profile.evaluation, [entry.get("name") for entry in manifest["evaluation"]["sets"]]
    for source, facts in claims.sources.items():
        fell = {reason: count for reason, count in facts["rows"]["rejected"].items() if reason.startswith("evaluation_")}
        yield f"evaluation.rows_set_aside.{source}", manifest["evaluation"]["rows_set_aside"].get(source), fell
    parts = {f"source {source}": facts["licence"] for source, facts in claims.sources.items()}
    models = {f"model {facts['name']}": facts["licence"] for facts in models_of(manifest)}
    yield "licences.parts", manifest["licences"]["parts"], parts | models
    yield "models", [code for code in manifest.get("models", {}) if code not in claims.targets], []


def _check_licences(claims: Claims) -> Iterator[Fault]:
    """Whether the licence, and what follows from it, is what follows from the parts."""
    said = claims.manifest["licences"]
    try:
        combined = combine(dict(sorted(said["parts"].items())), claims.profile.release.licence, said.get("stated"))
    except UserError as error:
        yield Fault(MANIFEST, f"licences: {error}")
        return
    if claims.manifest["licence"] != combined.expression:
        yield Fault(MANIFEST, f"licence is {_short(claims.manifest['licence'])}, and by its parts {_short(combined.expression)}")
    for name, value in combined.facts().items():
        if name in said and said[name] != value:
            yield Fault(MANIFEST, f"licences.{name} is {_short(said[name])}, and by its parts {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
