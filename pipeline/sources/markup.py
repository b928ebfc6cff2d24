"""HTML in a text: what of it a browser would show.

Only the elements of the HTML standard are tags. Whatever else stands in angle brackets is text, and so no parser is asked, which
would have to take it for an element: `vector<int>` is no element "int".
"""

from __future__ import annotations

import html
import re
from collections import Counter
from html.entities import html5

_PARAGRAPHS = "p"
_LINES = (
    "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li listing main menu nav ol optgroup option plaintext pre search "
    "section select summary table tbody tfoot thead tr ul xmp"
)
_CELLS = "td th"
_UNSEEN = "audio canvas datalist iframe noembed noframes noscript script style template title video"
"""Their content is not shown, or only where something else cannot be."""
_INLINE = (
    "a abbr acronym applet area b base basefont bdi bdo bgsound big blink button cite code col colgroup data del dfn em embed font frame "
    "i image img input ins isindex kbd keygen label link map mark marquee math menuitem meta meter multicol nextid nobr object output "
    "param picture progress q rb rbc rp rt rtc ruby s samp selectedcontent slot small source spacer span strike strong sub sup svg "
    "textarea time track tt u var wbr"
)
# https://html.spec.whatwg.org/multipage/indices.html#elements-3 and .../obsolete.html#non-conforming-features
_ELEMENTS = "|".join(" ".join((_PARAGRAPHS, _LINES, _CELLS, _UNSEEN, _INLINE)).split())
_SEPARATORS = {name: separator for separator, names in (("\n\n", _PARAGRAPHS), ("\n", _LINES), (" ", _CELLS)) for name in names.split()}
_AFTER_NAME = r"[\t\n\f\r />]"

MARKUP = rf"(?i)<(?:!--|!doctype|/?(?:{_ELEMENTS}){_AFTER_NAME})|&#?[0-9a-z]+;"
"""RE2 pattern that every text with markup matches."""

# Quantifiers are possessive, and nothing but a quoted value holds "<": a text of open tags costs no more than another.
_VALUE = r"""(?:"[^"]*"++|'[^']*'++|[^\s"'<>][^\s<>]*+)"""
_ATTRIBUTES = rf"""(?=[\s/>])(?:[\s/]|"[^"]*"|'[^']*'|[a-z_:@*#(\[][^\s<>/=]*+(?:\s*=\s*+{_VALUE}?)?)*+>"""
_TAG = re.compile(rf"<(?:/?({_ELEMENTS})|!doctype){_ATTRIBUTES}", re.IGNORECASE)
_RUN_OF_TAGS = re.compile(rf"(?<!\s)\s*+(?:{_TAG.pattern}\s*+)++", re.IGNORECASE)
_UNSEEN_START = re.compile(rf"<(?:(!--)|({_UNSEEN.replace(' ', '|')}){_ATTRIBUTES})", re.IGNORECASE)
_UNSEEN_END = {"!--": re.compile("--!?>")} | {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in _UNSEEN.split()}
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]*);", re.IGNORECASE)


def visible_text(text: str) -> str:
    """`text` without tags, comments and what no browser shows (scripts, styles, ...), and with its character references decoded, once.

    An empty line stands where a paragraph begins or ends, a line break where another block, a row, an item or <br> does, a space
    between cells; inline elements leave nothing. All other line breaks stay, as a text that holds a tag need not be HTML throughout.
    What is not closed (a comment, a script, a tag) is text. Only references with a semicolon are decoded, so that addresses with
    "&copy=2" stay.
    """
    return _REFERENCE.sub(_character, _RUN_OF_TAGS.sub(_separator, _without_unseen(text)))


def _without_unseen(text: str) -> str:
    kept: list[str] = []
    position = 0
    unclosed = set()
    for start in _UNSEEN_START.finditer(text):
        name = (start[1] or start[2]).lower()
        if start.start() < position or name in unclosed:
            continue
        if end := _UNSEEN_END[name].search(text, start.end() - 2):  # "<!-->" is a comment too
            kept.append(text[position : start.start()])
            position = end.end()
        else:
            unclosed.add(name)
    return "".join((*kept, text[position:]))


def _separator(run: re.Match[str]) -> str:
    """What stays of tags that follow each other, and of the white space around them."""
    names = Counter(name.lower() for name in _TAG.findall(run[0]))
    separators = {_SEPARATORS.get(name) for name in names} | ({"\n\n"} if names["br"] > 1 else set())
    return next((separator for separator in ("\n\n", "\n", " ") if separator in separators), None) or _TAG.sub("", run[0])


def _character(reference: re.Match[str]) -> str:
    return html.unescape(reference[0]) if reference[0][1] == "#" else html5.get(reference[0][1:], reference[0])
