"""All scores of a batch of texts: each by itself, and beside the same texts in the other languages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from parallel_qa.pipeline.filters.checks import outlier
from parallel_qa.pipeline.filters.checks.copied import copied_shares
from parallel_qa.pipeline.filters.checks.length import length_ratios
from parallel_qa.pipeline.filters.checks.marks import mark_scores
from parallel_qa.pipeline.filters.checks.names import FoldedText, common_words, name_scores
from parallel_qa.pipeline.filters.checks.numbers import count_numbers, number_scores
from parallel_qa.pipeline.filters.checks.repetition import repetition_scores
from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores, token_sort_scores
from parallel_qa.pipeline.filters.checks.script import script_scores
from parallel_qa.pipeline.filters.checks.sentence_ends import ending_scores, sentence_scores
from parallel_qa.pipeline.filters.checks.untranslated import untranslated_shares
from parallel_qa.pipeline.filters.checks.witnesses import LEAST_WITNESSES
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import Language

OptionalTexts = Sequence[str | None]
"""Texts in one language, row by row; None where there is none."""
ScoreColumn = list[float | None]
Form = TypeVar("Form")
"""A text, or what was read of it."""

_BLOCK = 500
"""Rows whose words are in memory at once."""


def measure(
    english: Sequence[str],
    translations: OptionalTexts,
    backs: OptionalTexts,
    language: Language,
) -> dict[str, ScoreColumn]:
    """What there is to say of each translation without a look at other languages: the float columns of `schema.MEASURED`.

    `backs` are the back-translations, None where there was none to be made. `log_probability` is the model's own and not
    among the result.
    """
    there, back = _PresentRows(english, translations), _PresentRows(english, backs)
    return {
        "language": there.column(language_scores(there.texts, language)),
        "script": there.column(script_scores(there.texts, language)),
        "copied": there.column(copied_shares(there.english, there.texts)),
        "untranslated": there.column(untranslated_shares(there.english, there.texts, language)),
        "repetition": _lower(
            there.column(repetition_scores(there.english, there.texts)), back.column(repetition_scores(back.english, back.texts))
        ),
        "marks": there.column(mark_scores(there.english, there.texts)),
        "chrf": back.column(chrf_scores(back.english, back.texts)),
        "token_sort": back.column(token_sort_scores(back.english, back.texts)),
        "length_ratio": back.column(length_ratios(back.english, back.texts)),
        "sentences": back.column(sentence_scores(back.english, back.texts)),
        "ending": back.column(ending_scores(back.english, back.texts)),
    }


def compare(
    english: Sequence[str],
    backs: Mapping[str, OptionalTexts],
    chrf: Mapping[str, ScoreColumn],
    length_ratio: Mapping[str, ScoreColumn],
    languages: Collection[str] | None = None,
) -> dict[str, dict[str, ScoreColumn]]:
    """What the languages of the same texts say about each other: for each of them the columns of `schema.COMPARED`.

    All are by language: `backs` the back-translations, `chrf` and `length_ratio` their scores. Languages bear witness where
    there are at least three others; with fewer, numbers and names are looked for in the English alone. `languages` names
    those of which the scores are wanted; all if not given.
    """
    judged = backs.keys() if languages is None else languages
    result: dict[str, dict[str, ScoreColumn]] = {code: {"numbers": [], "names": []} for code in judged}
    common = common_words(itertools.chain(english, *(filter(None, texts) for texts in backs.values())))
    for start in range(0, len(english), _BLOCK):
        block = slice(start, start + _BLOCK)
        texts = {code: column[block] for code, column in backs.items()}
        for name, scores in (
            ("numbers", _scores_beside_witnesses(english[block], texts, judged, count_numbers, number_scores)),
            ("names", _scores_beside_witnesses(english[block], texts, judged, FoldedText, partial(name_scores, common=common))),
        ):
            for code in judged:
                result[code][name] += scores[code]
    for name, by_language, outliers in (
        ("chrf_outlier", chrf, outlier.chrf_outliers),
        ("length_outlier", length_ratio, outlier.length_outliers),
    ):
        columns = {code: np.array(values, dtype=np.float64) for code, values in by_language.items()}
        for code in judged:
            values = outliers(columns[code], [column for other, column in columns.items() if other != code])
            result[code][name] = [None if np.isnan(value) else float(value) for value in values]
    return result


class _PresentRows(Generic[Form]):
    """The rows of a batch that have a text in one language, and the same rows in English."""

    def __init__(self, english: Sequence[Form], texts: Sequence[Form | None]) -> None:
        self.rows = [row for row, text in enumerate(texts) if text is not None]
        self.english = [english[row] for row in self.rows]
        self.texts = [text for text in texts if text is not None]
        self._all_rows = len(texts)

    def column(self, scores: Sequence[float | None]) -> ScoreColumn:
        """Scores of the rows that are present as a column of the batch, None in the others."""
        column: ScoreColumn = [None] * self._all_rows
        for row, score in zip(self.rows, scores, strict=True):
            column[row] = score
        return column


def _scores_beside_witnesses(
    english: Sequence[str],
    backs: Mapping[str, OptionalTexts],
    judged: Collection[str],
    read: Callable[[str], Form],
    score: Callable[[list[Form], list[Form], list[list[Form | None]]], ScoreColumn],
) -> dict[str, ScoreColumn]:
    """The scores of each of the languages `judged` beside the others; every text is read once."""
    source = [read(text) for text in english]
    forms = {code: [None if text is None else read(text) for text in texts] for code, texts in backs.items()}
    result: dict[str, ScoreColumn] = {}
    for code in judged:
        own = _PresentRows(source, forms[code])
        witnesses = [others for other, others in forms.items() if other != code] if len(forms) > LEAST_WITNESSES else []
        result[code] = own.column(score(own.english, own.texts, [[column[row] for row in own.rows] for column in witnesses]))
    return result


def _lower(first: ScoreColumn, second: ScoreColumn) -> ScoreColumn:
    """Row by row the lower score, or the only one."""
    return [min((score for score in pair if score is not None), default=None) for pair in zip(first, second, strict=True)]
