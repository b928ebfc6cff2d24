"""Measure the sample model on sentences that it never saw: mean chrF in each direction.

    python -m parallel_qa.pipeline.sample.quality

Sentences are drawn from the held-out combinations of the phrase book, every template alike.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from statistics import mean

from rich.console import Console
from rich.table import Table

from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores
from parallel_qa.pipeline.languages import LANGUAGES as LANGUAGE_TABLE
from parallel_qa.pipeline.sample.phrasebook import LANGUAGES, Fact, PhraseBook, Template, load
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import open_model

_TRIES = 200


@dataclass(frozen=True)
class Quality:
    """Mean chrF, 0 to 100, of a language's two directions."""

    language: str  # BCP-47 tag
    from_english: float
    into_english: float


def held_out(book: PhraseBook, count: int, seed: int = 1) -> list[tuple[Fact, Template]]:
    """About `count` different held-out sentences, template by template in turn."""
    rng = random.Random(seed)
    found: dict[str, tuple[Fact, Template]] = {}
    for record, template in itertools.islice(itertools.cycle(book.templates()), 20 * count):
        for _ in range(_TRIES):
            fact = book.draw(record, rng)
            if fact.held_out(template):
                found.setdefault(fact.say(template, "en"), (fact, template))
                break
        if len(found) == count:
            break
    return list(found.values())


def measure(sentences: list[tuple[Fact, Template]]) -> list[Quality]:
    """The sample model's quality on `sentences`, language by language."""
    engine = Engine(open_model(SAMPLE), TranslationSettings())
    english_language = LANGUAGE_TABLE.by_tag("en")
    english = [fact.say(template, "en") for fact, template in sentences]
    result = []
    for tag in (tag for tag in LANGUAGES if tag != "en"):
        language = LANGUAGE_TABLE.by_tag(tag)
        other = [fact.say(template, tag) for fact, template in sentences]
        out = [t.text for t in engine.translate(english, english_language, language)]
        back = [t.text for t in engine.translate(other, language, english_language)]
        result.append(Quality(tag, mean(chrf_scores(other, out)), mean(chrf_scores(english, back))))
    return result


def main() -> None:
    """Print the table."""
    sentences = held_out(load(), 500)
    table = Table("language", "en → xx", "xx → en", title=f"Mean chrF on {len(sentences)} held-out sentences")
    for quality in measure(sentences):
        name = LANGUAGE_TABLE.by_tag(quality.language).name
        table.add_row(f"{quality.language}  {name}", f"{quality.from_english:.1f}", f"{quality.into_english:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
