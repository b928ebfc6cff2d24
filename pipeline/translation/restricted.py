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

    A share of the sentences is decoded both ways before all others. Where more come out otherwise than `max_differing` of them and two
    standard deviations of such a count, the others are decoded among all pieces too.
    """
    settings = engine.settings.candidates
    if not engine.restricted:
        return engine.translate(sentences, *direction, advance), None

    def write(done: int, tokens: int) -> None:
        advance(0, tokens)

    drawn = [row for row, sentence in enumerate(sentences) if _is_drawn(sentence, settings.checked_share)]
    others = sorted({*range(len(sentences))}.difference(drawn))
    compared = [sentences[row] for row in drawn]
    whole = engine.translate(compared, *direction, advance, all_pieces=True)
    among = engine.translate(compared, *direction, write)
    differing = sum(one.text != other.text for one, other in zip(whole, among, strict=True))
    allowed = len(drawn) * settings.max_differing
    all_pieces = differing > allowed + _STANDARD_DEVIATIONS * math.sqrt(allowed)
    rest = engine.translate([sentences[row] for row in others], *direction, advance, all_pieces=all_pieces)
    made = dict(zip([*drawn, *others], [*whole, *rest], strict=True))
    return [made[row] for row in range(len(sentences))], Comparison(len(drawn), differing, all_pieces)


def _is_drawn(sentence: str, share: float) -> bool:
    return xxhash.xxh3_64_intdigest(sentence.encode(errors="surrogatepass")) < share * 2**64
