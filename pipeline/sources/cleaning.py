"""English text as it should have been, a batch at a time: one Unicode form, no markup, no stray white space.

Each step is applied to those texts that need it, and counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import ftfy
import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline.settings import CleaningSettings
from parallel_qa.pipeline.sources.markup import MARKUP, visible_text

# The patterns are RE2's: they run over a batch in C++, and most texts need no more than that.
_BROKEN = {
    "nul": "\\x00",
    "direction_override": "[\u202a-\u202e\u2066-\u2069]",
    "replacement_character": "\ufffd",
}
"""Characters that no sound text holds: a row with one is set aside."""
_FOREIGN = r"[^\x00-\x7f]"
_CONTROLS = "[\\x01-\\x08\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f\u00ad\u200b\u200e\u200f\u2060\ufeff\ufff9-\ufffb]"
_SPACE = r"[\p{Z}\t\x0b\x0c\x1c-\x1f\x{85}]+"


def clean(texts: pa.Array, counts: Counter[str], html: bool = True) -> pa.Array:
    """`texts` in NFC, without markup (where they are `html`), mojibake, control characters and superfluous white space; nulls stay.

    Line breaks stay, and so does an empty line between paragraphs, one at a time. `counts` is increased by the texts that each
    step changed. What was escaped ("&lt;b&gt;") is text from then on: a clean text with a visible "<b>" is not to be cleaned again.
    """
    if html:
        texts = _change_where_needed(texts, "html", MARKUP, visible_text, counts)
    texts = _change_where_needed(texts, "mojibake", _FOREIGN, ftfy.fix_encoding, counts)
    for step, change_all in (("control_characters", _without_controls), ("unicode", _nfc), ("white_space", _without_stray_space)):
        changed = change_all(texts)
        counts[step] += _differences(texts, changed)
        texts = changed
    return texts


def broken(texts: pa.Array) -> pa.Array:
    """Why each text is damaged beyond cleaning ("nul", "direction_override", "replacement_character"), or null."""
    reasons = pa.nulls(len(texts), pa.string())
    for reason, pattern in _BROKEN.items():
        found = pc.match_substring_regex(texts, pattern)
        if pc.any(found).as_py():
            reasons = pc.if_else(pc.and_(found, pc.is_null(reasons)), reason, reasons)
    return reasons


def faults(texts: pa.Array, kind: str, settings: CleaningSettings) -> pa.Array:
    """Why each clean text cannot be used as `kind` ("query" or "passage"), or null."""
    length = pc.utf8_length(texts)
    letters = pc.count_substring_regex(texts, r"\p{L}")
    most = settings.max_query_characters if kind == "query" else settings.max_characters
    return pc.case_when(
        pc.make_struct(
            pc.fill_null(pc.equal(length, 0), True),
            pc.greater(length, most),
            pc.less(letters, pc.max_element_wise(settings.min_letters, pc.multiply(length, settings.min_letter_share))),
        ),
        f"empty_{kind}",
        f"{kind}_too_long",
        f"{kind}_without_words",
    )


def _change_where_needed(texts: pa.Array, step: str, needed: str, change: Callable[[str], str], counts: Counter[str]) -> pa.Array:
    mask = pc.fill_null(pc.match_substring_regex(texts, needed), False)
    if not pc.any(mask).as_py():
        return texts
    before = texts.filter(mask)
    after = pa.array([change(text) for text in before.to_pylist()], pa.string())
    counts[step] += _differences(before, after)
    return pc.replace_with_mask(texts, mask, after)


def _differences(before: pa.Array, after: pa.Array) -> int:
    return pc.sum(pc.not_equal(before, after)).as_py() or 0


def _nfc(texts: pa.Array) -> pa.Array:
    return pc.utf8_normalize(texts, "NFC")


def _without_controls(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, _CONTROLS, "")


def _without_stray_space(texts: pa.Array) -> pa.Array:
    for pattern, replacement in ((r"\r\n?", "\n"), (_SPACE, " "), (r" ?\n ?", "\n"), (r"\n{3,}", "\n\n")):
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return pc.utf8_trim_whitespace(texts)
