"""What of a text is compared with other texts, a batch at a time."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def comparable(texts: pa.Array) -> pa.Array:
    """What stays the same when case, punctuation or spacing of a text changes."""
    texts = pc.utf8_lower(pc.utf8_normalize(texts, "NFKC"))
    return pc.utf8_trim(pc.replace_substring_regex(texts, r"[^\p{L}\p{M}\p{N}]+", " "), " ")
