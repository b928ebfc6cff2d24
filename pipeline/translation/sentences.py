"""Texts into sentences and back, so that no character is lost on the way.

NLLB-200 drops sentences when it is given several at once, so it is given one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sentencex

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")


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


def needs_model(sentence: str) -> bool:
    """Whether there is anything to translate: not so in numbers, signs and addresses, which models make phrases of."""
    return any(map(str.isalpha, _ADDRESS.sub("", sentence)))
