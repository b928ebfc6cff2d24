"""What each column of a release holds, in the words of its card and of its Croissant metadata."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from parallel_qa.pipeline import schema

TABLES = {
    "queries": schema.released_texts("queries"),
    "passages": schema.released_texts("passages"),
    "rejected": schema.REJECTED_TEXTS,
    "pairs": schema.RELEASED_PAIRS,
}
"""The schemas of a release's tables."""

_SCORES = {
    "language": "1 if it is taken for text in its language, else 0",
    "script": "share of its letters that are of its language's script, 0 to 1",
    "copied": "share of its words that were copied from the English, 0 to 1; less is better",
    "untranslated": "its longest run of words copied from the English, as a share of the words there, 0 to 1; less is better",
    "repetition": "1 if it repeats nothing that the English does not repeat, towards 0 the more it loops",
    "marks": "share of the addresses in the English that it has, less a quarter where brackets or quotation marks are not in pairs, 0 to 1",
    "log_probability": "what the model gave its least likely sentence: mean logarithm a token, at best 0",
    "chrf": "chrF of the way back into English against the English, 0 to 100",
    "token_sort": "likeness of the words of both in alphabetical order, 0 to 100",
    "length_ratio": "characters of the way back by those of the English",
    "sentences": "sentences of the way back by those of the English, or the other way round, at most 1",
    "ending": "1 if the way back has a mark at its end, as the English has, else 0",
    "faults": "number of its sentences with a fault that the translation engine saw",
    "numbers": "share of the numbers in the English that came back, 0 to 1",
    "names": "how like the names that were lost are to those that took their places, 0 to 1; 1 if none was lost",
    "chrf_outlier": "`chrf` less the median of the same text in the other languages",
    "length_outlier": "`length_ratio` by the median of the same text in the other languages",
}

_TEXTS = {
    "id": "hash of the English text; the same in every language",
    "title": "title of the passage, empty where it has none; null where the text is",
    "text": "null where the translation was rejected",
    "source": "the source that provides the text",
    "reject_reason": "why the translation was rejected, else null",
}

_REJECTED = {
    "table": "`queries` or `passages`",
    "row": "row of that table",
    "id": "its id there",
    "source": "the source that provides it",
    "reasons": "all reasons that hit; the first is the `reject_reason` of the table",
    "text": "the rejected translation, title and text as one; null where the source does not have it in the language",
    "back_translation": "its way back into English",
}

_PAIRS = {
    "query_row": "row of the question in `queries`",
    "passage_row": "row of the passage in `passages` that answers it",
    "negative_rows": "rows of passages that do not answer it, hard ones",
    "source": "the source of the pair",
    "source_id": "its name in the source",
    "answer": "short answer, in English; empty where the source has none",
    "query_langs": "bit set of the languages in which the question survived",
    "passage_langs": "bit set of the languages in which the passage survived and holds the answer",
    "answer_scores": "how much of the pair's answer is left in each translation of its passage, 0 to 100, by language, English left out; "
    "null where that cannot be said",
}

_WORDS = {"queries": _TEXTS, "passages": _TEXTS, "rejected": _REJECTED, "pairs": _PAIRS}


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    type: pa.DataType
    description: str


def columns(table: str) -> list[Column]:
    """The columns of a release's `table`, in order, scores among them."""
    words = _SCORES | _WORDS[table]
    return [Column(field.name, field.type, words[field.name]) for field in TABLES[table]]


def scores() -> list[Column]:
    """What was measured of each translated text: columns of queries, passages and rejected texts alike."""
    return [column for column in columns("queries") if column.name in schema.SCORES.names]
