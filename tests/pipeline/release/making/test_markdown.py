from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from parallel_qa.pipeline.release.making.markdown import Markdown, address, code, code_block, escaped

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

PIECES = [
    "# ",
    "## a",
    "- ",
    "1. ",
    "1) ",
    "> ",
    "```",
    "~~~",
    "`",
    "``",
    "---",
    "===",
    "***",
    "_a_",
    "*",
    "**",
    "~~",
    "|",
    "\\",
    "\n",
    "\n\n",
]
PIECES += [
    "[a](javascript:alert)",
    "![a](b)",
    "[a]: http://b",
    "<b>",
    "</td>",
    "<!--",
    "<script>",
    "&lt;",
    "&#35;",
    "<http://a>",
    "http://a.b",
]
PIECES += [
    "www.a.b",
    "a@b.c",
    "    a",
    "\t",
    "a",
    " ",
    "é",
    "中",
    "\r",
    "\x0b",
    "\x85",
    "\u2028",
    "\xa0",
    "$x$",
    "| --- |",
    "\x00",
    "!",
    "[ ]",
    "+",
    "0",
]
TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def flat(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *flat(token.children or []))]


def shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in flat(tokens) if token.type in ("text", "text_special"))


def in_words(text: str) -> str:
    return " ".join(text.split()).replace("\x00", "�")


@given(TEXTS)
@example("1. a")
@example("# a")
@example("a\n===")
@example("&amp;")
def test_an_escaped_text_shows_as_it_was_and_is_nothing_but_text(text: str) -> None:
    for before, after in (("", ""), ("- ", ""), ("a ", " b"), ("*", "*"), ("# ", "")):
        kinds = {token.type for token in flat(PARSER.parse(f"{before}{escaped(text)}{after}"))}
        plain = {token.type for token in flat(PARSER.parse(f"{before}x{after}"))}
        if text.split():
            assert kinds == plain or kinds - {"text_special"} == plain
    assert in_words(shown(PARSER.parse(escaped(text)))) == in_words(text)


@given(TEXTS, TEXTS)
def test_it_stays_in_its_cell(one: str, other: str) -> None:
    tokens = PARSER.parse(f"| a | b |\n| --- | --- |\n| {escaped(one)} | {escaped(other)} |\n| x | y |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert [in_words(shown([cell])) for cell in cells] == ["a", "b", in_words(one), in_words(other), "x", "y"]
    assert tokens[-1].type == "table_close"


@given(TEXTS)
def test_code_shows_as_it_was(text: str) -> None:
    tokens = flat(PARSER.parse(f"| a |\n| --- |\n| {code(text)} |\n\nb {code(text)} c\n"))
    spans = [token.content for token in tokens if token.type == "code_inline"]
    assert spans in ([], [text.replace("\x00", "�")] * 2)
    assert not {token.type for token in tokens} & {"html_inline", "link_open", "image", "heading_open", "em_open", "strong_open"}
    assert [token.type for token in tokens].count("tr_open") == 2


@given(TEXTS)
def test_a_block_of_code_ends_where_it_should(text: str) -> None:
    tokens = PARSER.parse(f"before\n\n{code_block(text, 'bibtex')}\n\nafter\n")
    assert [token.type for token in tokens][3:-3] == ["fence"]
    lines = text.rstrip().replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "�").split("\n")
    assert tokens[3].content.rstrip("\n").split("\n") == "\n".join(lines).rstrip("\n").split("\n")


@pytest.mark.parametrize("text", ["https://huggingface.co/datasets/a/b_c?d=e&f#g", "http://a.b", "HTTPS://a.b/(c)*d*"])
def test_an_address_of_the_web_is_a_link(text: str) -> None:
    links = [token for token in flat(PARSER.parse(f"see {address(text)}.")) if token.type == "link_open"]
    assert len(links) == 1 and str(links[0].attrs["href"]).casefold() == text.casefold()


@given(TEXTS)
@example("javascript:alert(1)")
@example("data:text/html,<b>")
@example("https://")
@example("https://a b")
@example("https://a><b>")
@example("https://a\n# b")
@example("//a.b")
@example("ftp://a.b")
def test_nothing_else_is(text: str) -> None:
    for candidate in (text, f"https://{text}", f" https://a/{text}"):
        tokens = flat(PARSER.parse(f"see {address(candidate)}."))
        links = [str(token.attrs["href"]).casefold() for token in tokens if token.type == "link_open"]
        assert len(links) <= 1 and all(link.startswith(("http://", "https://")) for link in links)
        assert {token.type for token in tokens} <= {
            "paragraph_open",
            "paragraph_close",
            "inline",
            "text",
            "text_special",
            "link_open",
            "link_close",
        }


def test_what_is_markdown_already_stays() -> None:
    assert escaped(Markdown("*a*")) == "*a*" and escaped(12) == "12"
