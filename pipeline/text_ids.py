"""The ids of texts."""

from __future__ import annotations

import hashlib


def text_id(*parts: str) -> str:
    """The id of a text: the same text has the same id in every source and every run."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
