"""What each Parquet file of a release says of itself, in its metadata: which table it is, of which release, made of what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from parallel_qa.pipeline.schema import TEXTS

METADATA = "parallel-qa"
"""The key of a Parquet file's metadata under which this stands, as JSON."""

_COUNTED = frozenset({"blocks", "rows", "rejected", "candidates", "files", "seal"})
_COUNTED_OF_SOURCES = frozenset({"provided", "shared", "languages", "not_translated"})
"""What a manifest says that is known only when all files are written, or that does not decide what is in them."""


def statement(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """All that a manifest says and that is known before a file is written: licences, model, sources, settings, languages and version."""
    stated = {name: value for name, value in manifest.items() if name not in _COUNTED}
    sources = {
        source: {name: value for name, value in facts.items() if name not in _COUNTED_OF_SOURCES}
        for source, facts in manifest["sources"].items()
    }
    return stated | {"sources": sources}


def provenance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What every file says of the release whose `statement`, at least, is in `manifest`; the statement itself as its SHA-256."""
    models = {code: {way: facts["fingerprint"] for way, facts in both.items()} for code, both in manifest.get("models", {}).items()}
    content = json.dumps(statement(manifest), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {
        "release": manifest["version"],
        "model": manifest["model"]["fingerprint"],
        **({"models": models} if models else {}),
        "sources": {source: facts["fingerprint"] for source, facts in manifest["sources"].items()},
        "statement": hashlib.sha256(content.encode()).hexdigest(),
    }


def of_file(name: str) -> dict[str, Any]:
    """What a file says of its place, by its name: its table and, but for pairs, the language."""
    table, *rest = name.split("/")
    return {"table": table} | ({"language": rest[0]} if len(rest) > 1 else {})


def shared_texts(shared: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """What the files of pairs say besides: by source, how many of its texts another one provides, which no row tells."""
    return {"shared": {source: {table: counts[table] for table in TEXTS} for source, counts in shared.items()}}
