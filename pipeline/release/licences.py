"""What may be done with a release, from what may be done with its parts."""

from __future__ import annotations

from collections.abc import Iterable


def combined_licence(licences: Iterable[str]) -> str:
    """The licences that hold together, as an SPDX expression: each part's own, joined by AND."""
    return " AND ".join(sorted(set(licences)))
