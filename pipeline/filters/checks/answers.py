"""Is the answer still in the passage? A pair whose passage has lost it teaches a retriever something false."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, utils


def answer_scores(
    answers: Sequence[Sequence[str]], english: Sequence[str], back_translations: Sequence[str | None]
) -> list[list[float | None]]:
    """For each passage, answer by answer, how much of it is in the back-translation, 0 to 100; None where that cannot be said.

    `answers` are the English answers of the questions that the passage answers; one that does not stand in the English
    passage as it is written (yes, no, a paraphrase) is not looked for, nor is any where there is no back-translation. How
    much: rapidfuzz's partial ratio, the likeness of the answer and the part of the text that is most like it.
    """
    return [_kept(known, text, back) for known, text, back in zip(answers, english, back_translations, strict=True)]


def _kept(answers: Sequence[str], english: str, back: str | None) -> list[float | None]:
    if back is None or not answers:
        return [None] * len(answers)
    passage, returned = utils.default_process(english), utils.default_process(back)
    return [_likeness(answer, returned) if answer and answer in passage else None for answer in map(utils.default_process, answers)]


def _likeness(answer: str, returned: str) -> float:
    return fuzz.partial_ratio(answer, returned) if returned else 0.0
