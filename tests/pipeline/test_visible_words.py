"""From the raw text to what is put together of its sentences: every word that a browser shows, in order, and none glued to another."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from parallel_qa.pipeline.sources.cleaning import clean
from parallel_qa.pipeline.translation.sentences import join, split
from tests.browser import texts_shown


@dataclass(frozen=True)
class Piece:
    """A piece of text as it comes in, the HTML that means it, and what of it is seen."""

    raw: str
    html: str
    shown: str


def same(text: str) -> Piece:
    return Piece(text, text, text)


def written(text: str) -> Piece:
    """Signs that mean themselves, as in most texts nothing is escaped."""
    return Piece(text, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), text)


def markup(text: str, shown: str = "") -> Piece:
    return Piece(text, text, shown)


def together(pieces: Sequence[Piece]) -> Piece:
    return Piece(*("".join(getattr(piece, name) for piece in pieces) for name in ("raw", "html", "shown")))


WORDS = ["salt", "Rot", "Köln", "naïve", "x1", "1642", "水", "дом", "don't", "U.S.", "It", "ends", "e.g."]
MARKS = [".", ",", "!", "?", ":", "“", "”", "…", "<", ">", " < ", " > ", "&", " & ", "=", "+", "<3", "<int>", "</int>", "list<string>",
         "&copy=2", "&unknown;", "R&D", "/", "(", ")", "\"", "'"]  # fmt: skip
REFERENCES = {
    "&amp;": "&",
    "&lt;": "<",
    "&lt;b&gt;": "<b>",
    "&nbsp;": " ",
    "&alpha;": "α",
    "&#8364;": "€",
    "&#x6c34;": "水",
    "&amp;lt;": "&lt;",
}
SPACES = [" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n "]
ATTRIBUTES = [
    "",
    "",
    ' class="a b"',
    " id='x'",
    ' title="a > b"',
    ' data-x="<p>"',
    " lang=en",
    "\n  dir=ltr",
    ' class="a"id="b"',
    " itemscope",
]
HIDDEN = ["<!-- salt <p>pepper</p> -->", "<!---->", "<!-->", "<script>if (a<b) {salt('</p>')}</script>", "<title>Salt</title>",
          "<style type=text/css>p > b {}</style>", "<template><p>salt</p></template>", "<NOSCRIPT>salt</NOSCRIPT>"]  # fmt: skip
INLINE = ["a", "abbr", "b", "bdi", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "label", "mark", "q", "s", "samp",
          "small", "span", "strong", "sub", "sup", "tt", "u", "var"]  # fmt: skip
LEAVES = ["address", "dd", "dt", "figcaption", "h1", "h2", "h3", "h6", "li", "p", "pre"]
BLOCKS = ["article", "aside", "blockquote", "center", "div", "dl", "figure", "footer", "header", "main", "nav", "ol", "section", "ul"]

cases = st.sampled_from([str.lower, str.lower, str.upper, str.title])


@st.composite
def element(draw: st.DrawFn, names: Sequence[str], content: st.SearchStrategy[Piece], edge: str = "", closed: bool | None = None) -> Piece:
    """An element with an attribute or none, closed or not; `edge` is what is seen of its borders."""
    name = draw(cases)(draw(st.sampled_from(names)))
    parts = [markup(f"<{name}{draw(st.sampled_from(ATTRIBUTES))}>", edge), draw(content)]
    if draw(st.booleans()) if closed is None else closed:
        parts.append(markup(f"</{name}>", edge))
    return together(parts)


def several(pieces: st.SearchStrategy[Piece], most: int = 4) -> st.SearchStrategy[Piece]:
    return st.lists(pieces, max_size=most).map(together)


texts = st.one_of(
    st.sampled_from([*map(same, WORDS + SPACES), *map(written, MARKS)]),
    st.sampled_from([*map(same, WORDS + SPACES), *(markup(raw, shown) for raw, shown in REFERENCES.items())]),
    st.sampled_from([*(markup(text, "\n") for text in ("<br>", "<BR />", "<br/>", "<hr>")), *map(markup, [*HIDDEN, "<img alt='salt'>"])]),
)
phrases = texts | element(INLINE, several(texts | element(INLINE, several(texts))))
rows = element(["tr"], several(element(["td", "th"], several(phrases), edge=" ")), edge="\n")
leaves = phrases | element(LEAVES, several(phrases), edge="\n") | element(["table"], several(rows), edge="\n", closed=True)
blocks = leaves | element(BLOCKS, several(leaves), edge="\n")
flow = several(blocks | element(BLOCKS, several(blocks), edge="\n"), most=6)


def words(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).split()


def through(raw: Sequence[str]) -> list[str]:
    """What becomes of texts in which no sentence is changed."""
    whole = []
    for text in clean(pa.array(raw, pa.string()), Counter()).to_pylist():
        segmented = split(text)
        assert not any("\n" in sentence for sentence in segmented.sentences)
        assert "\n\n\n" not in text
        whole.append(join(segmented.sentences, segmented.gaps))
        assert whole[-1] == text
    return whole


@settings(max_examples=200)
@given(st.lists(flow, min_size=1, max_size=3))
def test_every_word_that_is_seen_comes_through(pieces: list[Piece]) -> None:
    for piece, text in zip(pieces, through([piece.raw for piece in pieces]), strict=True):
        assert words(text) == words(piece.shown)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(flow, min_size=1, max_size=5))
def test_what_is_seen_is_what_a_browser_shows(page: Page, pieces: list[Piece]) -> None:
    shown = texts_shown(page, [piece.html for piece in pieces])
    for piece, text, seen in zip(pieces, through([piece.raw for piece in pieces]), shown, strict=True):
        assert words(text) == words(seen) == words(piece.shown)


@given(st.lists(st.text(st.sampled_from("ab.é水 <>&;/!-'\"=\n\r\t") | st.characters(codec="utf-8", exclude_characters="\x00")), min_size=1))
def test_any_other_text_comes_through_too(texts: list[str]) -> None:
    through(texts)
