"""Translations that a source brings along: its own text in other languages, joined to the English tables by id.

Makes the units `imported/LANG/SOURCE`, whose tables `queries` and `passages` have the same rows in the same shards
as `english/SOURCE`. A text that the source does not have in a language is null.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline import facts, schema
from parallel_qa.pipeline.database import Database
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import fetching
from parallel_qa.pipeline.sources.card import Card, TextTable
from parallel_qa.pipeline.sources.joined import load_texts, read_table
from parallel_qa.pipeline.sources.records import SetAside
from parallel_qa.pipeline.sources.training import described, training_source, training_sources
from parallel_qa.pipeline.store import Record, Store, fingerprint
from parallel_qa.pipeline.work import Unit, versions

VERSION = 1


def units(settings: Settings, english: Iterable[Unit], record_of: Callable[[Unit], Record]) -> list[Unit]:
    """One unit a language and parallel source. Reads the checksums of the source's files; the units `english` must have been made."""
    parallel = {source.name: source for source in training_sources(settings) if source.card.translations}
    tools = versions("jmespath")
    return [
        Unit(
            f"imported/{code}/{unit.source}",
            fingerprint(
                stage="import",
                version=VERSION,
                tools=tools,
                language=code,
                files=[_identity(parallel[unit.source].card, code, table) for table in schema.TEXTS],
                english=record_of(unit).checksum,
            ),
            unit.source,
            code,
            inputs={"english": unit},
        )
        for unit in english
        if unit.source in parallel
        for code in parallel[unit.source].languages
    ]


def remember(settings: Settings, store: Store, made: Sequence[Unit]) -> None:
    """Keep which unit each source and language is, so that later stages need none of its files; `made` are those of `units`, done."""
    for unit in made:
        about = _described(settings, unit.inputs["english"])
        facts.remember(store, _name(unit.source, unit.language), about, {"fingerprint": unit.fingerprint})


def imported_units(settings: Settings, store: Store, english: Sequence[Unit], record_of: Callable[[Unit], Record]) -> list[Unit]:
    """The units of `units` as they were when the stage was last run; of a store that does not say, as they would be now."""
    known = [
        (unit, code, facts.recall(store, _name(unit.source, code), _described(settings, unit)))
        for unit in english
        for code in _languages_of_parallel(settings, unit.source)
    ]
    if any(fact is None for _, _, fact in known):
        return units(settings, english, record_of)
    return [
        Unit(f"imported/{code}/{unit.source}", fact["fingerprint"], unit.source, code, inputs={"english": unit})
        for unit, code, fact in known
        if fact is not None
    ]


def _languages_of_parallel(settings: Settings, name: str) -> list[str]:
    """The languages that a source brings along."""
    source = training_source(settings, name)
    return source.languages if source.card.translations else []


def _name(source: str, code: str) -> str:
    return f"imported/{code}/{source}"


def _described(settings: Settings, english: Unit) -> dict[str, Any]:
    return {**described(settings, training_source(settings, english.source)), "english": english.fingerprint}


def _identity(card: Card, code: str, table: str) -> dict[str, Any] | None:
    """All that decides what is read of one table in a language; None where the card does not have it."""
    described_table = _table_in(card, code, table)
    if described_table is None:
        return None
    alone = {"queries": described_table, "passages": None, "links": None, "translations": None}
    return fetching.identity(card.model_copy(update=alone))


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Join the texts of one source in one language to its English rows."""
    card = training_source(settings, unit.source).card
    english = unit.inputs["english"].result(store)
    progress.start(unit.path, english.rows("queries") + english.rows("passages"), "texts")
    counts = {}
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for table, target in schema.TEXTS.items():
            missing = 0
            texts = _texts(card, unit.language, table, (store.read_table(english, name) for name in english.shards(f"{table}_keys")))
            for name in english.shards(table):
                shard = store.read_table(english, name)
                found = pa.array([next(texts) for _ in range(shard.num_rows)], pa.string())
                missing += found.null_count
                columns = {"id": shard["id"], "title": pa.array([""] * shard.num_rows, pa.string()), "text": found}
                writer.write_table(name, pa.table({name: columns[name] for name in target.names}, schema=target))
                progress.advance(unit.path, shard.num_rows)
            counts[table] = missing
        writer.facts["missing"] = counts
    progress.finish(unit.path)


def _texts(card: Card, code: str, table: str, keys: Iterable[pa.Table]) -> Iterator[str | None]:
    """The text for each key, in order; null where the source has none."""
    purpose = f"{card.path}: joining its {table} in {code}"
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch, Database(Path(scratch), purpose) as database:
        database.run("CREATE TABLE keys (number BIGINT, id VARCHAR)")
        number = 0
        for part in keys:
            database.insert("keys", pa.table({"number": range(number, number + part.num_rows), "id": part["key"]}))
            number += part.num_rows
        described = _table_in(card, code, table)
        rows = read_table(card, described) if described else ()
        for row in load_texts(database, Path(scratch) / "texts.parquet", rows):
            assert isinstance(row, SetAside)  # it is missing, and counted as that
        texts = database.read("SELECT text FROM keys LEFT JOIN texts ON texts.id = keys.id ORDER BY number", 10_000)
        for batch in texts:
            yield from batch["text"].to_pylist()


def _table_in(card: Card, code: str, table: str) -> TextTable | None:
    """Where the card has `table` ("queries" or "passages") in a language; None where it does not."""
    own = card.queries if table == "queries" else card.passages
    assert card.translations is not None and own is not None
    name = card.translations.languages.get(code)
    pattern = card.translations.queries if table == "queries" else card.translations.passages
    return own.model_copy(update={"files": [pattern.replace("{}", name)]}) if name else None
