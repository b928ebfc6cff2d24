"""All scores of a batch of texts: each by itself, and beside the same texts in the other languages."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from parallel_qa.pipeline.filters.checks import outlier
from parallel_qa.pipeline.filters.checks.answers import answer_scores
from parallel_qa.pipeline.filters.checks.copied import copied_shares
from parallel_qa.pipeline.filters.checks.length import length_ratios
from parallel_qa.pipeline.filters.checks.marks import mark_scores
from parallel_qa.pipeline.filters.checks.names import Words, common_words, name_scores
from parallel_qa.pipeline.filters.checks.numbers import number_scores, numbers
from parallel_qa.pipeline.filters.checks.repetition import repetition_scores
from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores, token_sort_scores
from parallel_qa.pipeline.filters.checks.script import script_scores
from parallel_qa.pipeline.filters.checks.sentences import ending_scores, sentence_scores
from parallel_qa.pipeline.filters.checks.untranslated import untranslated_shares
from parallel_qa.pipeline.filters.checks.witnesses import LEAST
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import Language

Texts = Sequence[str | None]
"""A text in one language, or None where there is none."""
Scores = list[float | None]
Form = TypeVar("Form")

_BLOCK = 500
"""Rows whose words are in memory at once."""


def measure(
    english: Sequence[str], translations: Texts, backs: Texts, language: Language, answers: Sequence[Sequence[str]] | None = None
) -> dict[str, Scores]:
    """What there is to say of each translation without a look at other languages: the float columns of `schema.MEASURED`.

    `backs` are the back-translations, None where there was none to be made; `answers` the English answers that each text
    holds. `log_probability` is the model's own and not among the result.
    """

    def of(others: Texts, score: Callable[[list[str], list[str]], Sequence[float | None]]) -> Scores:
        places = [place for place, other in enumerate(others) if other is not None]
        result: Scores = [None] * len(others)
        found = score([english[place] for place in places], [others[place] or "" for place in places])
        for place, value in zip(places, found, strict=True):
            result[place] = value
        return result

    asked = answers or [()] * len(english)
    answered = answer_scores(asked, english, [back or "" for back in backs])
    return {
        "language": of(translations, lambda _, texts: language_scores(texts, language)),
        "script": of(translations, lambda _, texts: script_scores(texts, language)),
        "copied": of(translations, copied_shares),
        "untranslated": of(translations, lambda source, texts: untranslated_shares(source, texts, language)),
        "repetition": _lower(of(translations, repetition_scores), of(backs, repetition_scores)),
        "marks": of(translations, mark_scores),
        "chrf": of(backs, chrf_scores),
        "token_sort": of(backs, token_sort_scores),
        "length_ratio": of(backs, length_ratios),
        "sentences": of(backs, sentence_scores),
        "ending": of(backs, ending_scores),
        "answers": [score if back is not None else None for score, back in zip(answered, backs, strict=True)],
    }


def compare(
    english: Sequence[str],
    backs: Mapping[str, Texts],
    chrf: Mapping[str, Scores],
    length_ratio: Mapping[str, Scores],
    languages: Collection[str] | None = None,
) -> dict[str, dict[str, Scores]]:
    """What the languages of the same texts say about each other: for each of them the columns of `schema.COMPARED`.

    All are by language: `backs` the back-translations, `chrf` and `length_ratio` their scores. Languages bear witness where
    there are at least three others; with fewer, numbers and names are looked for in the English alone. `languages` names
    those of which the scores are wanted; all if not given.
    """
    wanted = backs.keys() if languages is None else languages
    result: dict[str, dict[str, Scores]] = {code: {"numbers": [], "names": []} for code in wanted}
    common = common_words(itertools.chain(english, *(filter(None, texts) for texts in backs.values())))
    for start in range(0, len(english), _BLOCK):
        block = slice(start, start + _BLOCK)
        texts = {code: column[block] for code, column in backs.items()}
        for name, scores in (
            ("numbers", _witnessed(english[block], texts, wanted, numbers, number_scores)),
            ("names", _witnessed(english[block], texts, wanted, Words, functools.partial(name_scores, common=common))),
        ):
            for code in wanted:
                result[code][name] += scores[code]
    for name, by_language, function in (
        ("chrf_outlier", chrf, outlier.chrf_outliers),
        ("length_outlier", length_ratio, outlier.length_outliers),
    ):
        columns = {other: np.array(values, dtype=np.float64) for other, values in by_language.items()}
        for code in wanted:
            values = function(columns[code], [column for other, column in columns.items() if other != code])
            result[code][name] = [None if np.isnan(value) else float(value) for value in values]
    return result


def _witnessed(
    english: Sequence[str],
    backs: Mapping[str, Texts],
    wanted: Collection[str],
    read: Callable[[str], Form],
    score: Callable[[list[Form], list[Form], list[list[Form | None]]], Scores],
) -> dict[str, Scores]:
    """The scores of each language beside the others; every text is read once."""
    source = [read(text) for text in english]
    forms = {code: [None if text is None else read(text) for text in texts] for code, texts in backs.items()}
    result: dict[str, Scores] = {}
    for code in wanted:
        own = forms[code]
        witnesses = [others for other, others in forms.items() if other != code] if len(forms) > LEAST else []
        present = [(place, form) for place, form in enumerate(own) if form is not None]
        result[code] = [None] * len(own)
        scores = score(
            [source[place] for place, _ in present],
            [form for _, form in present],
            [[column[place] for place, _ in present] for column in witnesses],
        )
        for (place, _), value in zip(present, scores, strict=True):
            result[code][place] = value
    return result


def _lower(first: Scores, second: Scores) -> Scores:
    return [min((score for score in pair if score is not None), default=None) for pair in zip(first, second, strict=True)]
