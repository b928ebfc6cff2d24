"""Is the answer still in the passage? A pair whose passage has lost it teaches a retriever something false."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, utils


def answer_scores(answers: Sequence[Sequence[str]], english: Sequence[str], back_translations: Sequence[str]) -> list[float | None]:
    """For each passage how much of its worst-kept answer is in the back-translation, 0 to 100; None where it has no answer.

    `answers` are the English answers of the questions that the passage answers; one that does not stand in the English
    passage as it is written (yes, no, a paraphrase) is not looked for. How much: rapidfuzz's partial ratio, the likeness of
    the answer and the part of the text that is most like it.
    """
    return [_worst_kept(known, text, back) for known, text, back in zip(answers, english, back_translations, strict=True)]


def _worst_kept(answers: Sequence[str], english: str, back: str) -> float | None:
    if not answers:
        return None
    passage = utils.default_process(english)
    literal = [answer for answer in map(utils.default_process, answers) if answer and answer in passage]
    returned = utils.default_process(back)
    return min((fuzz.partial_ratio(answer, returned) if returned else 0.0 for answer in literal), default=None)
