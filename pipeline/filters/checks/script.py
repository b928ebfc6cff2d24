"""Is a translation written in its language's script?"""

from __future__ import annotations

from collections.abc import Sequence

from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.scripts import script_shares


def script_scores(texts: Sequence[str], language: Language) -> list[float | None]:
    """For each text the share of its letters that are of the script of `language`, as `script_shares` counts them."""
    return script_shares(texts, language.script)
