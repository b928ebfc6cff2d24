"""The sources of a run: their cards, and the languages that each is to have."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources.card import Card, load_card


@dataclass(frozen=True)
class TrainingSource:
    """A source of a run."""

    card: Card
    languages: list[str]
    """NLLB codes, in the order of the run; none for English only."""

    @property
    def name(self) -> str:
        """What the store and every pair call it."""
        return self.card.name


def training_sources(settings: Settings) -> list[TrainingSource]:
    """The sources of the run. Raises UserError where one may not be trained on or two have one name."""
    cards = [load_card(settings, source.card) for source in settings.sources]
    for card in cards:
        if card.role == "evaluation":
            raise UserError(f"sources: {card.path} is an evaluation set: list it under `evaluation`, never under `sources`")
    for first, second in itertools.combinations(cards, 2):
        if first.name == second.name:
            raise UserError(f"sources: {first.path} and {second.path} are both named {first.name!r}: rename one")
    return [
        TrainingSource(
            card, [code for code in settings.languages if code in (card.target_languages(settings.languages) if own is None else own)]
        )
        for card, own in ((card, source.languages) for card, source in zip(cards, settings.sources, strict=True))
    ]


def training_source(settings: Settings, name: str) -> TrainingSource:
    """The source of the run that is called `name`."""
    return next(source for source in training_sources(settings) if source.name == name)


def described(settings: Settings, source: TrainingSource) -> dict[str, Any]:
    """All that settings and cards say about how a source is prepared, without a look at its files.

    The run's name is part of it: paths are relative, and two runs with one store may call different files the same.
    """
    evaluation = {name: _described_card(settings, name) for name in settings.evaluation}
    cleaning = settings.cleaning.model_dump()
    return {"run": settings.name, "card": source.card.reading(), "cleaning": cleaning, "evaluation": evaluation}


def _described_card(settings: Settings, name: str) -> dict[str, Any] | None:
    """What an evaluation card says about reading; None for a folder, which may be on another machine."""
    try:
        return load_card(settings, name).reading()
    except UserError:
        return None
