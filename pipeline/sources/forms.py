"""What of a text is compared with other texts, a batch at a time."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# The patterns are RE2's: they run over a batch in C++.
_WORD = r"\p{L}\p{M}\p{N}"
_SYMBOL = r"\p{Sc}\p{Sm}\p{So}#%&*/@\\^§†‡‰‱′"
_MARKS_IN_NUMBERS = {".": "．", ",": "，", ":": "："}
"""Marks that count are written as full-width ones, which NFKC leaves in no text."""
_OPERATORS = {"!=": "！=", "->": "－>", "::": "：：", r"\(\s*\)": "（）", r"\[\s*\]": "［］", r"\{\s*\}": "｛｝"}
"""Patterns of marks that mean something together, in code and in mathematics."""
_BEFORE_NFKC = (
    ("([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼ⁿⁱ]+)", r"^\1"),  # x² is x^2, not x2
    ("´", "'"),
)
_AFTER_NFKC = (
    (r"[\x{FE0E}\x{FE0F}]", ""),  # how an emoji is drawn
    ("[−–‐]", "-"),
    *((operator, f" {kept} ") for operator, kept in _OPERATORS.items()),
    (r"(^|\s)<-(\s|$)", " <－ "),  # but x<-5
    (rf"(^|[^{_WORD}\p{{Pe}}%°-])-(\p{{Sc}}?\.?[{_WORD}])", r"\1－\2"),  # -5, -$5, e^-x
    (rf"([{_WORD}])-($|[^{_WORD}\p{{Ps}}\p{{Sc}}-])", r"\1－\2"),  # A-
    (rf"(^|[^{_WORD}\p{{Pe}}.%])\.([{_WORD}])", r"\1．\2"),  # .NET
    # Twice, as matches do not overlap: 1.2.3
    *((rf"(\p{{N}})[{mark}](\p{{N}})", rf"\1{kept}\2") for mark, kept in _MARKS_IN_NUMBERS.items() for _ in range(2)),
    (f"([{_SYMBOL}])", r" \1 "),
    (f"[^{_WORD}{_SYMBOL}．，：－！（）［］｛｝]+", " "),
)


def comparable(texts: pa.Array) -> pa.Array:
    """The words of texts: what stays the same when case, punctuation, symbols or spacing change."""
    texts = pc.utf8_lower(pc.utf8_normalize(texts, "NFKC"))
    return pc.utf8_trim(pc.replace_substring_regex(texts, f"[^{_WORD}]+", " "), " ")


def words_and_symbols(texts: pa.Array) -> pa.Array:
    """The words and symbols of texts, with a space between any two: equal where texts say the same.

    Symbols are Unicode's currency, mathematical and other symbols and # % & * / @ \\ ^ § † ‡ ‰ ′; of other marks count a point, comma
    or colon between digits, a point that begins a word (".NET"), a dash that hangs on one word alone ("-5", "A-"), and what stands
    together in code: != -> <- :: and brackets with nothing in them.
    Case, spacing and all other punctuation do not count.
    """
    for pattern, replacement in _BEFORE_NFKC:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    texts = pc.utf8_lower(pc.utf8_normalize(texts, "NFKC"))
    for pattern, replacement in _AFTER_NFKC:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return pc.utf8_trim(texts, " ")
