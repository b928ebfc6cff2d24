"""The Arrow schemas of the tables that stages hand to each other and that a release is made of.

A row number counts the rows of a table over all its shards, in order. Row *i* of shard *k* is the same
text in every language.
"""

from __future__ import annotations

import pyarrow as pa

QUERIES = pa.schema([("id", pa.string()), ("text", pa.string())])
PASSAGES = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string())])
TEXTS = {"queries": QUERIES, "passages": PASSAGES}
"""The two tables of unique English texts; `title` is empty where a passage has none."""

PAIRS = pa.schema(
    [
        ("query_row", pa.int64()),
        ("passage_row", pa.int64()),
        ("negative_rows", pa.list_(pa.int64())),
        ("source", pa.string()),
        ("source_id", pa.string()),
        ("answer", pa.string()),
    ]
)
"""One (query, positive passage) link; `source_id` is the row's name in its source, `answer` is English."""

REJECTED = pa.schema(
    [
        ("position", pa.string()),  # file and place in it, to find the original again
        ("source_id", pa.string()),
        ("reason", pa.string()),
        ("query", pa.string()),
        ("passage", pa.string()),
        ("detail", pa.string()),  # what the reason rests on: the evaluation text, the row that came first, the reader's words
    ]
)
"""A row that was set aside before translation."""

KEYS = pa.schema([("key", pa.string())])
"""Row by row a source's own id of a text, where translations of it are joined by that id."""

SENTENCES = pa.schema([("text", pa.string()), ("checked", pa.bool_())])
"""Unique sentences of a source, in order of first appearance; `checked` ones are translated back."""

SEGMENTS = pa.schema(
    [
        ("title", pa.list_(pa.int64())),  # sentence rows
        ("text", pa.list_(pa.int64())),  # sentence rows
        ("gaps", pa.list_(pa.string())),  # what stands before each sentence of `text`, and after the last
    ]
)
"""How a text is put together from sentences; a query has an empty `title`."""

TRANSLATIONS = pa.schema([("text", pa.string()), ("mark", pa.string()), ("score", pa.float32())])
"""Row by row the translation of a shard of sentences; `mark` names a fault that the engine saw, else null; `score`
is the mean log-probability of the output's tokens, null where no model was asked."""

SCORES = pa.schema(
    [(name, pa.float32()) for name in ("language", "script", "copied", "chrf", "length_ratio", "repetition", "numbers", "log_probability")]
    + [("faults", pa.int32())]
)
"""What the filters measured of a text; null where there was nothing to measure.

Of the translation: `language`: 1 if a detector takes it for its language, else 0. `script`: share of its letters in
its language's script. `copied`: share of its words that were copied from the English. `log_probability`: that of the
least likely sentence, as a mean over its tokens. `faults`: sentences with a `mark`.

Of the back-translation against the English: `chrf`, 0 to 100; `length_ratio` in characters; `numbers`: share of the
numbers that are there again. Of both: `repetition`: share of
different runs by that of the English, the lower of the two.
"""


def scored(table: str) -> pa.Schema:
    """Schema of the scored texts of `table` ("queries" or "passages") in one language."""
    return pa.schema([*TEXTS[table], *SCORES, ("back_translation", pa.string())])


def released_texts(table: str) -> pa.Schema:
    """Schema of a release's `table`; `text` and `title` are null where `reject_reason` is not."""
    return pa.schema([*TEXTS[table], ("reject_reason", pa.string()), *SCORES])


RELEASED_PAIRS = pa.schema([*PAIRS, ("query_langs", pa.int64()), ("passage_langs", pa.int64())])
"""Bit *b* of `query_langs` says that the query survived in language *b* of the manifest's list."""
