from __future__ import annotations

import unicodedata
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.settings import CleaningSettings
from parallel_qa.pipeline.sources.cleaning import broken, clean, faults

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8")))


@pytest.mark.parametrize(
    ("raw", "cleaned", "step"),
    [
        ("<p>Salt &amp; tea</p>", "Salt & tea", "html"),
        ("one.<br/>&nbsp;Two.", "one.\nTwo.", "html"),
        ("vector<int> &amp; list<string>", "vector<int> & list<string>", "html"),
        ("<script>steal()</script>Salt", "Salt", "html"),
        ("if a < b and b > c", "if a < b and b > c", None),
        ("schÃ¶nes CafÃ©", "schönes Café", "mojibake"),
        ("itâ€™s", "it’s", "mojibake"),
        ("y\x07z", "yz", "control_characters"),
        ("soft\u00adware\ufeff", "software", "control_characters"),
        ("cafe\u0301", "caf\u00e9", "unicode"),
        ("  two   spaces\t\n\n\n a line ", "two spaces\n\na line", "white_space"),
        ("Heading\r\n\r\n \r\nA text.\rA line.", "Heading\n\nA text.\nA line.", "white_space"),
        ("a\u2003b\u2028c", "a b c", "white_space"),
        ("", "", None),
        (None, None, None),
    ],
)
def test_each_step_is_counted(raw: str | None, cleaned: str | None, step: str | None) -> None:
    counts: Counter[str] = Counter()
    assert clean(pa.array([raw, "untouched"], pa.string()), counts).to_pylist() == [cleaned, "untouched"]
    assert counts[step or "nothing"] == (1 if step else 0)
    if step is None:
        assert counts.total() == 0


@given(TEXTS)
def test_clean_texts_are_normal_and_have_no_control_characters(texts: list[str | None]) -> None:
    cleaned = clean(pa.array(texts, pa.string()), Counter()).to_pylist()
    assert [text is None for text in cleaned] == [text is None for text in texts]
    for text in filter(None, cleaned):
        assert unicodedata.is_normalized("NFC", text)
        assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\x00" for c in text)
        assert text == text.strip() or "\x00" in text
        assert "  " not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a\x00b", "nul"), ("a\u202eb", "direction_override"), ("a\u2066b", "direction_override"), ("a\ufffdb", "replacement_character")],
)
def test_damage_that_cannot_be_cleaned(text: str, reason: str) -> None:
    assert broken(pa.array([text, "sound", None])).to_pylist() == [reason, None, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_query"),
        ("1642", "query_without_words"),
        ("?!", "query_without_words"),
        ("a bc ........................", "query_without_words"),
        ("a" * 21, "query_too_long"),
        ("Why so?", None),
        ("Почему так?", None),
    ],
)
def test_faults(text: str, reason: str | None) -> None:
    assert faults(pa.array([text]), "query", CleaningSettings(max_query_characters=20, min_letter_share=0.15)).to_pylist() == [
        reason if text != "a bc ........................" else "query_too_long"
    ]
    assert faults(pa.array([text]), "passage", CleaningSettings(min_letter_share=0.15)).to_pylist() == [
        None if reason == "query_too_long" else reason and reason.replace("query", "passage")
    ]


def test_texts_are_normal_once_what_stood_inside_them_is_gone() -> None:
    assert clean(pa.array(["cafe\u200b\u0301"]), Counter()).to_pylist() == ["caf\u00e9"]
