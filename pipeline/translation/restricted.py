"""Decoding among the pieces that a language needs, with a check that nothing is lost by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import xxhash

from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.translation.engine import Engine, Translation

_STANDARD_DEVIATIONS = 2
"""More than these above what is allowed, differences are not chance."""


@dataclass(frozen=True)
class Comparison:
    """How many sentences were decoded both among candidates and among all pieces, and how many came out otherwise."""

    checked: int
    differing: int
    all_pieces: bool
    """Whether so many differ that all sentences were decoded among all pieces."""


def translate_and_check(
    engine: Engine,
    sentences: Sequence[str],
    direction: tuple[Language, Language],
    advance: Callable[[int, int], None],
) -> tuple[list[Translation], Comparison | None]:
    """The translation of each sentence, and how many candidates changed; None where the engine has no candidates.

    A share of the sentences is decoded among all pieces as well. Where more come out otherwise than `max_differing` of them and two
    standard deviations of such a count, all are.
    """
    settings = engine.settings.candidates
    made = engine.translate(sentences, *direction, advance)
    if not engine.restricted:
        return made, None

    def write(done: int, tokens: int) -> None:
        advance(0, tokens)

    rows = [row for row, sentence in enumerate(sentences) if _is_drawn(sentence, settings.checked_share)]
    whole = engine.translate([sentences[row] for row in rows], *direction, write, all_pieces=True)
    differing = sum(made[row].text != translation.text for row, translation in zip(rows, whole, strict=True))
    allowed = len(rows) * settings.max_differing
    if differing > allowed + _STANDARD_DEVIATIONS * math.sqrt(allowed):
        return engine.translate(sentences, *direction, write, all_pieces=True), Comparison(len(rows), differing, True)
    for row, translation in zip(rows, whole, strict=True):
        made[row] = translation
    return made, Comparison(len(rows), differing, False)


def _is_drawn(sentence: str, share: float) -> bool:
    return xxhash.xxh3_64_intdigest(sentence.encode(errors="surrogatepass")) < share * 2**64
