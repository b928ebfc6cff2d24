"""What a stage found out and later ones go by: which files a source had, which model translated.

So later stages ask no server, hash no file and load no model to know what a run consists of.
"""

from __future__ import annotations

import json
from typing import Any

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import Store, fingerprint, json_bytes

_FOLDER = "facts"


def remember(store: Store, name: str, about: dict[str, Any], facts: dict[str, Any]) -> None:
    """Keep `facts` of what `about` (settings that JSON can write) describes; `name` is for people."""
    path = _path(name, about)
    content = json_bytes(facts)
    if not store.exists(path) or store.read(path) != content:
        store.write(path, content)


def recall(store: Store, name: str, about: dict[str, Any]) -> dict[str, Any] | None:
    """The facts that were kept last, or None. Raises UserError where the file cannot be read."""
    path = _path(name, about)
    try:
        facts = json.loads(store.read(path))
    except FileNotFoundError:
        return None
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise UserError(f"{store.local_path(path)} is damaged: delete it and run again")
    return facts


def _path(name: str, about: dict[str, Any]) -> str:
    return f"{_FOLDER}/{name}-{fingerprint(**about)}.json"
