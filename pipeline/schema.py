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

ANSWERS = pa.schema([("answers", pa.list_(pa.string()))])
"""Row by row the English answers of the questions that a passage answers."""

ANSWER_SCORES = pa.schema([("scores", pa.list_(pa.float32()))])
"""Row by row how much of each of these answers is left in one language, 0 to 100; null where that cannot be said."""

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
"""Unique sentences of a shard of texts, in order of first appearance; `checked` ones are translated back."""

SEGMENTS = pa.schema(
    [
        ("title", pa.list_(pa.int64())),  # sentence rows of the shard
        ("text", pa.list_(pa.int64())),  # sentence rows of the shard
        ("gaps", pa.list_(pa.string())),  # what stands before each sentence of `text`, and after the last
    ]
)
"""How a text is put together from sentences; a query has an empty `title`."""

TRANSLATIONS = pa.schema([("text", pa.string()), ("fault", pa.string()), ("score", pa.float32())])
"""Row by row the translation of a shard of sentences; `fault` names what the engine saw amiss, else null; `score`
is the mean log-probability of the output's tokens, null where no model was asked."""

MEASURED = pa.schema(
    [
        (name, pa.float32())
        for name in (
            *("language", "script", "copied", "untranslated", "repetition", "marks", "log_probability"),
            *("chrf", "token_sort", "length_ratio", "sentences", "ending"),
        )
    ]
    + [("faults", pa.int32())]
)
"""What the filters measured of a text by itself; null where there was nothing to measure. Each is described in its module
of `pipeline/filters/checks`.

Of the translation: `language`: 1 if a detector takes it for its language, else 0. `script`: share of its letters in its
language's script. `copied`: share of its words that were copied from the English. `untranslated`: the longest run of them.
`repetition`: share of different runs by that of the English, the lower of translation and back-translation. `marks`: share
of addresses, brackets and quotes kept. `log_probability`: that of the least likely sentence, as a mean over its tokens.
`faults`: sentences with a fault that the engine saw.

Of the back-translation against the English: `chrf` and `token_sort`, 0 to 100; `length_ratio` in characters; `sentences`:
the smaller of both numbers by the larger; `ending`: 1 if it ends as the English does.
"""

COMPARED = pa.schema([(name, pa.float32()) for name in ("numbers", "names", "chrf_outlier", "length_outlier")])
"""What the filters measured of a text beside the same text in the other languages; null as above.

`numbers`: share of the numbers that came back. `names`: how like the lost names are to those that took their places.
`chrf_outlier`: chrF less the median of the others'. `length_outlier`: length ratio by the median of the others'.
"""

SCORES = pa.schema([*MEASURED, *COMPARED])


def measured(table: str) -> pa.Schema:
    """Schema of the texts of `table` ("queries" or "passages") in one language, with what was measured of each by itself."""
    return pa.schema([*TEXTS[table], *MEASURED, ("back_translation", pa.string())])


def scored(table: str) -> pa.Schema:
    """Schema of the same with all scores."""
    return pa.schema([*TEXTS[table], *SCORES, ("back_translation", pa.string())])


def released_texts(table: str) -> pa.Schema:
    """Schema of a release's `table`; `text` and `title` are null where `reject_reason` is not; `source` provides the text."""
    return pa.schema([*TEXTS[table], ("source", pa.string()), ("reject_reason", pa.string()), *SCORES])


REJECTED_TEXTS = pa.schema(
    [
        ("table", pa.string()),  # "queries" or "passages"
        ("row", pa.int64()),  # of that table
        ("id", pa.string()),
        ("source", pa.string()),
        ("reasons", pa.list_(pa.string())),  # all that hit; the first is the `reject_reason` of the table
        ("text", pa.string()),
        ("back_translation", pa.string()),
        *SCORES,
    ]
)
"""The texts of a release that the filters rejected in one language, title and text as one; `text` is null where the source
does not have it in that language."""

RELEASED_PAIRS = pa.schema([*PAIRS, ("query_langs", pa.int64()), ("passage_langs", pa.int64()), ("answer_scores", pa.list_(pa.float32()))])
"""Bit *b* of `query_langs` says that the query survived in language *b* of the manifest's list; of `passage_langs`, that the passage
did, and holds the pair's answer there. `answer_scores`: for each language but English how much of the answer is left in the passage,
0 to 100; null where that cannot be said."""
