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
_ADDRESS = (
    r"(?i:(?:https?|ftp)://|www\.)\S+|(?<!\S)[^\s@]++@[^\s@]+\.\w+"
    r"|(?<![\w.-])(?:[a-z\d-]++\.)++[a-z]{2,}/\S*"  # a.org/b
)
_FOLDERS = "bin|cgi|com|css|dev|img|js|lib|opt|org|proc|src|sys|tmp|usr|var|www"
# Of words that a slash joins: a root or drive before them, a file's name at their end, three or more with a folder's name among them.
_PATH = (
    r"(?<!\w)(?:[A-Za-z]:|~|\.{1,2})?[/\\][\w.]\S*"
    r"|(?<![\w./-])[\w.-]+(?:/[\w.-]+)*/(?:[\w-]{2,}\.\w|[\w-]\.\w{2})[\w.-]*"
    rf"|(?<![\w./-])(?=(?:[a-z\d-]+/)*(?:{_FOLDERS})(?:/|(?![\w-])))[a-z][a-z\d-]*(?:/[a-z\d-]+){{2,}}"
)
# Of words before brackets: a name with a dot or with a small letter first, but no ending as in "file(s)", no phrase as its argument
# and, after a word, no name; a letter of another; anything with arguments that no sentence has, or without.
_CALL = (
    r"(?:(?<![\w.])\w++(?:\.\w++)++"
    r"|(?<!\w)(?!\w+\((?:e?s|ies|e?d|r?en|n?ing|al|ly)\)|[a-z]{4,}\([A-Z][\w ,.–-]*\))[a-z]\w*)"
    r"(?!\([^\W\d_]+\.?(?: [\w.–-]+)+\))\((?:[^()]|\([^()]*\))*\)"
    r"|(?<!\w)[A-Z]\((?![^()]*[^\W\d_]{2})[^()]*\)"
    r"|(?<!\w)\w+\((?:[^()]*[=\"{}\[\];][^()]*)?\)"
)
_CODE = (
    r"`[^`]*`|(?<!\w)(?!_[^\W_]+_(?!\w))\w*_\w+|(?<!\w)\w+(?:::|->)\w[\w/:.>-]*"
    r"|<!\w[^<>]*>|</?\w[\w:.-]*+/?(?:\s(?![^<>=\"'/]*>)[^<>]*)?>"  # "<The Beatles>" is no tag
)
_UNTRANSLATABLE = re.compile("|".join((_ADDRESS, _CALL, _PATH, _CODE)))


@dataclass(frozen=True)
class Segmented:
    """Sentences without surrounding white space, and the gaps: before each one and after the last."""

    sentences: tuple[str, ...]
    gaps: tuple[str, ...]


def split(text: str, tag: str = "en") -> Segmented:
    """The sentences of a text in the language of the BCP-47 `tag`; `join` gives back exactly `text`.

    A line break ends a sentence, so that a heading, an item or a verse is one, with or without a mark.
    """
    pieces = [piece for line in text.splitlines(keepends=True) for piece in _pieces_of_line(line, tag)]
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


def _pieces_of_line(line: str, tag: str) -> list[str]:
    pieces = list(sentencex.segment(tag, line))
    return _with_points_of_names(pieces) if "".join(pieces) == line else [line]  # the library promises that they do


def _with_points_of_names(pieces: list[str]) -> list[str]:
    """`pieces`, but a point with a space before it and none after begins a name (".NET") and ends no sentence."""
    mended: list[str] = []
    for piece in pieces:
        before = mended[-1] if mended else ""
        if before.endswith(".") and not before[-2:-1].strip() and piece[:1].isalnum():
            ended = before[:-1].rstrip().endswith((".", "!", "?"))
            mended[-1:] = [before[:-1], f".{piece}"] if ended else [before + piece]
        else:
            mended.append(piece)
    return mended


def join(sentences: Sequence[str], gaps: Sequence[str], space: str = " ", plain: str = " ") -> str:
    """Sentences and gaps as one text.

    `space` stands for the gap `plain` between two sentences, where a language writes another one there; but letters and marks of
    ASCII, which some sentences are left in, have a space between them in any language.
    """
    parts = [gaps[0]]
    for number, sentence in enumerate(sentences, 1):
        gap = gaps[number]
        if gap == plain and number < len(sentences):
            gap = space or (" " if sentence[-1:].isascii() and sentences[number][:1].isascii() else "")
        parts += [sentence, gap]
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
    """Whether there is anything to translate: not so in numbers, signs, addresses and code, which models make phrases of.

    Words joined by a slash ("Yes/No") or by brackets ("Paris(France)") are language unless something marks them as code: a path by a
    root, a drive, a file's name or a folder's among three parts, a call by a name with a small letter or a dot, or by arguments that
    are no words.
    """
    return any(map(str.isalpha, _UNTRANSLATABLE.sub("", sentence)))
