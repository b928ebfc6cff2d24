from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page

from parallel_qa.pipeline.sources import markup
from parallel_qa.pipeline.sources.markup import visible_text
from tests.browser import texts_shown


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("First line.<br>Second line", "First line.\nSecond line"),
        ("one<BR/><br />\n two", "one\n\ntwo"),
        ("<ul>\n <li>red</li>\n <li>blue</li>\n</ul>", "\nred\nblue\n"),
        ("<h2>Salt</h2><p>It is white.</p> <p>So is <b>sugar</b>.</p>", "\nSalt\n\nIt is white.\n\nSo is sugar.\n\n"),
        ("<table><tr><th>a<th>b</tr>\n<tr><td>1</td>\n<td>2</td></tr></table>", "\na b\n1 2\n"),
        ("H<sub>2</sub>O and <i>E. coli</i> <b> bold</b>", "H2O and E. coli  bold"),
        ("<pre>\na = 1\n  b = 2</pre>, <code>c\nd</code>", "\na = 1\n  b = 2\n, c\nd"),
    ],
)
def test_block_elements_separate_and_inline_elements_do_not(text: str, visible: str) -> None:
    assert visible_text(text) == visible


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "vector<int> v; list<string> w; </int>",
        "<3 and <- and <> and </> and < b>",
        "if (a<b && c>d)",
        "see <this example>",
        "cut off <a href=",
        "<!-- never closed <3",
        "<br-custom> <ix>",
        "AT&T, R&D; and &c; &unknown; &ampere; &",
        "http://a.org/?a=1&copy=2&lt=3",
        "&#99999999; &#; &#x;",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert visible_text(text) == text


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ('<a title="a > b" href=/x?y=1>link</a>', "link"),
        ("<img alt='<p>' class=\"x\"id=y>one", "one"),
        ('<a href="x"">one</a><a href=>two</a><a checked>three</a>', "onetwothree"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://a.org/x.dtd">one', "one"),
        ("<a <i>one</i>", "<a one"),
    ],
)
def test_attributes_belong_to_their_tag(text: str, visible: str) -> None:
    assert visible_text(text) == visible


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("one<!-- <p>two</p> -->three<!---->four<!-->five", "onethreefourfive"),
        ("<script>if (a < b) { '<p>' }</SCRIPT >one", "one"),
        ("<style>p > b {}</style><template><p>x</p></template><head><title>T</title></head>one", "\none"),
        ("<script>one", "one"),
        ("The <title> of a <video> is shown", "The  of a  is shown"),
        ("one <!-- two <script>x</script> three", "one <!-- two  three"),
    ],
)
def test_what_is_never_shown_vanishes_if_it_is_closed(text: str, visible: str) -> None:
    assert visible_text(text) == visible


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("Salt &amp; tea&nbsp;&hellip; &eacute;&#233;&#xE9;&#128;", "Salt & tea\xa0… ééé€"),
        ("&lt;b&gt; is bold", "<b> is bold"),
        ("&amp;lt;b&amp;gt; &amp;amp;", "&lt;b&gt; &amp;"),
        ("<p>&lt;p&gt;</p>", "\n\n<p>\n\n"),
    ],
)
def test_character_references_are_decoded_once_and_after_tags(text: str, visible: str) -> None:
    assert visible_text(text) == visible


@pytest.mark.parametrize("part", ["<a x", "<!--", "<script>", "<p>", "\n<b>", "<a b='", '<p "', "<a b ", "&", "&a", " ", "<"])
def test_hostile_texts_take_no_longer_than_others(part: str) -> None:
    began = time.process_time()
    visible_text(part * 50_000)
    assert time.process_time() - began < 5


def test_elements_separate_as_they_do_in_a_browser(page: Page) -> None:
    """Each element by itself between words, but those for which that is no HTML."""
    outside_their_place = {"body", "caption", "frameset", "head", "html", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
    without_end_tag = {"hr", "plaintext"}
    shown_otherwise = {"math", "meter", "object", "progress", "rp", "select", "svg", "textarea"}  # a bar, a box, or what is inside
    names = set(re.findall(r"[a-z]\w*", markup._ELEMENTS)) - outside_their_place - without_end_tag - shown_otherwise
    texts = {name: f"red<{name} open>blue</{name}>green" for name in sorted(names)}
    shown = texts_shown(page, list(texts.values()))
    expected = {name: text.split() for name, text in zip(texts, shown, strict=True)}
    assert {name: visible_text(text).split() for name, text in texts.items()} == expected
