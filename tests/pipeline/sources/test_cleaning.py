from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import CleaningSettings
from pipeline.sources.cleaning import clean, comparable, fault


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("<p>Salt &amp; tea</p>", "Salt & tea"),
        ("one.<br/>&nbsp;Two.", "one. Two."),
        ("if a < b and b > c", "if a < b and b > c"),
        ("x\x00y\x07z", "xyz"),
        ("cafe\u0301", "caf\u00e9"),
        ("  two   spaces\t\n\n\n a line ", "two spaces\na line"),
        ("", ""),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text())
def test_clean_text_is_normal_and_has_no_control_characters(text: str) -> None:
    cleaned = clean(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in cleaned)
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty_query"), ("1642", "query_without_words"), ("?!", "query_without_words"), ("a" * 21, "query_too_long"), ("Why so?", None)],
)
def test_fault(text: str, reason: str | None) -> None:
    assert fault(text, "query", CleaningSettings(max_characters=20)) == reason


def test_texts_that_differ_in_case_and_punctuation_compare_equal() -> None:
    assert comparable("Who, then, built “Marlo”?") == comparable("who then built marlo") == "who then built marlo"
    assert comparable("Who built Marlo?") != comparable("Who built Tessi?")
