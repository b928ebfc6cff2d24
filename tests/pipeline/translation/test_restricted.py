from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.engine import Engine, Translation
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import open_model, vocabulary
from parallel_qa.pipeline.translation.restricted import Comparison, translate_and_check

GERMAN = LANGUAGES.find("de")
SENTENCES = [f"The river Aldo is {number} kilometres long." for number in range(120, 180)]


class Counting(Engine):
    """Remembers how many sentences it was asked for each time, and whether among all pieces."""

    asked: list[tuple[int, bool]]

    def translate(self, sentences: Sequence[str], *arguments: Any, **options: Any) -> list[Translation]:
        self.asked.append((len(sentences), options.get("all_pieces", False)))
        return super().translate(sentences, *arguments, **options)


def translated(candidates: Sequence[str] | None) -> tuple[Counting, list[str], Comparison | None, int]:
    """The engine, what came out, how it compared, and how many sentences were said to be done."""
    settings = TranslationSettings.model_validate({"candidates": {"checked_share": 0.3, "min_log_probability": -1000}})
    engine = Counting(open_model(SAMPLE), settings, candidates)
    engine.asked = []
    done: list[int] = []
    made, comparison = translate_and_check(engine, SENTENCES, (ENGLISH, GERMAN), lambda sentences, tokens: done.append(sentences))
    return engine, [translation.text for translation in made], comparison, sum(done)


def test_where_candidates_do_not_suffice_only_the_compared_sentences_are_decoded_twice() -> None:
    _, expected, comparison, _ = translated(None)
    assert comparison is None
    engine, texts, comparison, done = translated([piece for piece in vocabulary(SAMPLE) if not any(map(str.isdigit, piece))])
    assert comparison and comparison.all_pieces and 0 < comparison.checked < len(SENTENCES)
    assert engine.asked == [(comparison.checked, True), (comparison.checked, False), (len(SENTENCES) - comparison.checked, True)]
    assert texts == expected and done == len(SENTENCES)


def test_where_they_suffice_the_others_are_decoded_among_them() -> None:
    engine, texts, comparison, done = translated(vocabulary(SAMPLE))
    assert comparison and comparison.differing == 0 and not comparison.all_pieces
    assert engine.asked == [(comparison.checked, True), (comparison.checked, False), (len(SENTENCES) - comparison.checked, False)]
    assert texts == translated(None)[1] and done == len(SENTENCES)
