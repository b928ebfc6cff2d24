"""Text of others in Markdown (CommonMark, with tables): it shows as it was written, and makes no heading, link, HTML or code of its own."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[\\`*_\[\]{}|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_AT_THE_START = re.compile(r"^(\d*)([#+=.)-])")  # a heading, an item of a list
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f<>\"'`\\|/?#][^\s\x00-\x20\x7f<>\"'`\\|]*", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escaped(value: object) -> Markdown:
    """`value` in one line, so that Markdown shows it as it is; what is Markdown already stays."""
    if isinstance(value, Markdown):
        return value
    text = " ".join(str(value).split())
    text = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], _SPECIAL.sub(r"\\\g<0>", text))
    return Markdown(_AT_THE_START.sub(r"\1\\\2", text))


def code(text: str) -> Markdown:
    """`text` as code in a line; as plain text if a backtick, a bar or a line break in it could end the code or the cell of a table."""
    return escaped(text) if re.search(r"[`|]|^\s|\s$|\s\s|[^\S ]", text) or not text else Markdown(f"`{text}`")


def code_block(text: str, language: str) -> Markdown:
    """`text` as a block of code, which no run of backticks in it ends."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return Markdown(f"{fence}{language}\n{text.rstrip()}\n{fence}")


def address(text: str) -> Markdown:
    """`text` as a link if it is an address of the web, else as it is."""
    return Markdown(f"<{text}>") if _ADDRESS.fullmatch(text) else escaped(text)
