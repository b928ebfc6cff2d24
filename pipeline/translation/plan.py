"""What a run would do, before anything is spent: units, tokens and time of each stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow.compute as pc

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import imported
from parallel_qa.pipeline.sources import prepare as download
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import segment, translate
from parallel_qa.pipeline.translation.model_finding import is_ready
from parallel_qa.pipeline.work import Unit

CHARACTERS_PER_TOKEN = 4.2
"""Of English text in NLLB's vocabulary; other scripts have fewer, and an output has about as many tokens as its source."""


@dataclass(frozen=True)
class Step:
    """One stage, or one language of a stage."""

    name: str
    to_do: int | None  # units; None where that depends on an earlier stage
    units: int | None
    tokens: int | None = None  # that the model would write, estimated
    seconds: float | None = None  # estimated from what was done in this store before; None where nothing was


def plan(settings: Settings, store: Store) -> list[Step]:
    """The steps of a run as far as they can be told from what is in the store.

    What earlier runs made of the same sentences is not taken off. Reads cards and English tables; loads no model, and
    downloads none. Raises UserError where a card cannot be used.
    """
    english = download.units(settings)
    steps = [_step("download", english, store)]
    if not all(unit.done(store) for unit in english):
        return [*steps, *(Step(f"translate {code}", None, None) for code in settings.languages), Step("filter", None, None)]
    parallel = imported.units(settings, store, english)
    if parallel:
        steps.append(_step("import", parallel, store))
    with_own = {(unit.source, unit.language) for unit in parallel}
    ways = 1 + settings.translation.back_share
    rate = _rate(store)
    for code in settings.languages:
        tokens = to_do = units = 0
        for unit in english:
            if (unit.source, code) in with_own:
                continue
            known = _translations(settings, store, unit, code)
            if known is None:  # not split in sentences yet: all of it
                tokens += int(_characters(store, unit) / CHARACTERS_PER_TOKEN * ways)
                to_do, units = to_do + 1, units + 1
                continue
            units += len(known)
            for planned in known:
                if not planned.done(store):
                    to_do += 1
                    tokens += int(_characters_of_shard(store, planned) / CHARACTERS_PER_TOKEN * ways)
        steps.append(Step(f"translate {code}", to_do, units, tokens, tokens / rate if rate and tokens else None))
    return [*steps, Step("filter", None, None), Step("publish", None, None)]


def _step(name: str, units: Iterable[Unit], store: Store) -> Step:
    listed = list(units)
    return Step(name, sum(not unit.done(store) for unit in listed), len(listed))


def _translations(settings: Settings, store: Store, english: Unit, code: str) -> list[Unit] | None:
    """The units that translate a source into a language; None where its sentences or the model are not there yet."""
    choices = (settings.translation, settings.translation.back or settings.translation)
    if not all(is_ready(choice, settings.folder) for choice in choices):
        return None
    if not all(unit.done(store) for unit in segment.units(settings, store)):
        return None
    return [unit for unit in translate.units(settings, store) if unit.source == english.source and unit.language == code]


def _characters(store: Store, english: Unit) -> int:
    record = english.result(store)
    return sum(
        pc.sum(pc.utf8_length(store.read_table(record, name)["text"])).as_py() or 0
        for table in schema.TEXTS
        for name in record.shards(table)
    )


def _characters_of_shard(store: Store, unit: Unit) -> int:
    segmented = (unit.inputs.get("translated") or unit).inputs["sentences"]
    sentences = store.read_table(segmented.result(store), f"sentences/{unit.shard:05d}.parquet")
    return pc.sum(pc.utf8_length(sentences["text"])).as_py() or 0


def _rate(store: Store) -> float | None:
    """Tokens a second of the units that this store has; None where there is none yet."""
    tokens = seconds = 0.0
    for record in store.records("back_translated"):
        tokens += record.facts.get("tokens", 0)
        seconds += record.facts.get("seconds", 0)
    return tokens / seconds if tokens and seconds else None
