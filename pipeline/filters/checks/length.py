"""Did as much come back into English as was sent out?"""

from __future__ import annotations

from collections.abc import Sequence


def length_ratios(english: Sequence[str], back_translations: Sequence[str]) -> list[float]:
    """Characters of each back-translation by those of its English text."""
    return [len(back) / max(len(text), 1) for text, back in zip(english, back_translations, strict=True)]
