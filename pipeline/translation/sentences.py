"""Texts into sentences and back, so that no character is lost on the way.

NLLB-200 drops sentences when it is given several at once, so it is given one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sentencex

# Marks that end a clause, then weaker ones, then white space; also those of other scripts, for the way back.
_CUTS = [re.compile(pattern) for pattern in (r"[;:；：؛।](?!\S)\s*|[；：。]|\s[–—]\s", r"[,،](?=\s)\s*|[，、]", r"\s+")]
# Addresses, and code: in backticks, calls, names with underscores or paths of names, braces and the like.
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|`[^`]*`|[\w.]+\([^()]*\)|\w*_\w+|\w+(?:::|->|/)\w[\w/:.>-]*|<[^<>]*>")


@dataclass(frozen=True)
class Segmented:
    """Sentences without surrounding white space, and the gaps: before each one and after the last."""

    sentences: tuple[str, ...]
    gaps: tuple[str, ...]


def split(text: str, tag: str = "en") -> Segmented:
    """The sentences of a text in the language of the BCP-47 `tag`; `join` gives back exactly `text`."""
    pieces = list(sentencex.segment(tag, text))
    if "".join(pieces) != text:  # the library promises that they do
        pieces = [text]
    sentences: list[str] = []
    gaps = [""]
    for piece in pieces:
        sentence = piece.strip()
        if not sentence:
            gaps[-1] += piece
            continue
        start = piece.index(sentence)
        gaps[-1] += piece[:start]
        sentences.append(sentence)
        gaps.append(piece[start + len(sentence) :])
    return Segmented(tuple(sentences), tuple(gaps))


def join(sentences: Sequence[str], gaps: Sequence[str], space: str = " ") -> str:
    """Sentences and gaps as one text; `space` stands for a plain gap where a language writes another one."""
    parts = [gaps[0]]
    for sentence, gap in zip(sentences, gaps[1:], strict=True):
        parts += [sentence, space if gap == " " else gap]
    return "".join(parts)


def clauses(text: str, fits: Callable[[str], bool]) -> list[str]:
    """`text` in parts that fit, cut at a strong mark if there is one, else at a comma, at a space, or anywhere.

    Of the places of one kind the one nearest the middle is taken. All characters but white space at the cuts stay.
    """
    if fits(text) or len(text) < 2:
        return [text]
    middle = len(text) // 2
    for pattern in _CUTS:
        places = [match.end() for match in pattern.finditer(text) if text[: match.end()].strip() and text[match.end() :].strip()]
        if places:
            cut = min(places, key=lambda place: abs(place - middle))
            break
    else:
        cut = middle
    return [*clauses(text[:cut].strip(), fits), *clauses(text[cut:].strip(), fits)]


def needs_model(sentence: str) -> bool:
    """Whether there is anything to translate: not so in numbers, signs, addresses and code, which models make phrases of."""
    return any(map(str.isalpha, _ADDRESS.sub("", sentence)))
