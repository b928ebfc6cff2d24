"""English text as it should have been: one Unicode form, no markup, no stray white space."""

from __future__ import annotations

import re
import unicodedata

from bs4 import BeautifulSoup

from pipeline.settings import CleaningSettings

_MARKUP = re.compile(r"</?(?:a|b|br|div|em|h[1-6]|i|img|li|ol|p|span|strong|sub|sup|table|td|tr|u|ul)\b[^<>]*>|&#?\w{2,8};", re.I)
_SPACE = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r"\s*\n\s*")


def clean(text: str) -> str:
    """`text` in NFC, without HTML, control characters and superfluous white space.

    Line breaks stay, one at a time. Angle brackets that are no known tag ("a < b") stay.
    """
    if _MARKUP.search(text):
        text = BeautifulSoup(text, "html.parser").get_text()
    text = unicodedata.normalize("NFC", text)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Cn") or c.isspace())
    return _BREAKS.sub("\n", _SPACE.sub(" ", text)).strip()


def fault(text: str, kind: str, settings: CleaningSettings) -> str | None:
    """Why a clean text cannot be used as `kind` ("query" or "passage"), or None."""
    if not text:
        return f"empty_{kind}"
    if len(text) > settings.max_characters:
        return f"{kind}_too_long"
    if sum(map(str.isalpha, text)) < settings.min_letters:
        return f"{kind}_without_words"
    return None


def comparable(text: str) -> str:
    """What stays the same when case, punctuation or spacing of `text` changes."""
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).split())
