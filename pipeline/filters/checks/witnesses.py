"""What the other languages of one text say about it.

Where eight languages brought a name or a number back into English and one did not, that one is wrong; where most did not,
the fault is in what was looked for. Fewer than `LEAST_WITNESSES` others bear no witness.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_WITNESSES = 3
_SEEN_BY_CHANCE = 0.2


def seen_by_most(seen: Sequence[bool]) -> bool:
    """Whether at least seven in ten witnesses saw it; true without witnesses."""
    return 10 * sum(seen) >= 7 * len(seen)


def seen_by_hardly_any(seen: Sequence[bool]) -> bool:
    """Whether less than a fifth of the witnesses saw it; true without witnesses."""
    return sum(seen) < _SEEN_BY_CHANCE * len(seen) or not any(seen)
