"""What changed from one release to another."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import duckdb

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest, shards
from parallel_qa.pipeline.store import Store

_MOVED = 1e-4
"""A score that moved by less did not."""


@dataclass(frozen=True)
class TableDiff:
    """Rows of one table that only one release has, and how the others differ."""

    added: int
    removed: int
    changed: int = 0
    """Rows of both with another text."""
    fates: dict[tuple[str | None, str | None], int] = field(default_factory=dict)
    """Rows of both with another reason to be rejected, by the reasons before and after; None is a row that is kept."""
    scores: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Of each score that moved, in how many rows of both, and by how much as a mean over these."""


@dataclass(frozen=True)
class ReleaseDiff:
    """What the second release has otherwise than the first."""

    added_languages: list[str]
    removed_languages: list[str]
    settings: dict[str, tuple[Any, Any]]
    """Settings and facts of the manifest that differ, by name, before and after."""
    texts: dict[tuple[str, str], TableDiff]
    """By table and language that both have."""
    pairs: TableDiff


def diff(first: Store, second: Store) -> ReleaseDiff:
    """Compare two releases, each in its folder. Texts are matched by id, pairs by the ids of both sides.

    Raises UserError where one of them is no release.
    """
    before, after = (_manifest(store) for store in (first, second))
    shared = [code for code in before["languages"] if code in after["languages"]]
    with duckdb.connect(config={"memory_limit": "1GB"}) as database:
        texts = {(table, code): _texts(database, first, before, second, after, table, code) for table in schema.TEXTS for code in shared}
        return ReleaseDiff(
            [code for code in after["languages"] if code not in before["languages"]],
            [code for code in before["languages"] if code not in after["languages"]],
            _changed(_facts(before), _facts(after)),
            texts,
            _pairs(database, first, before, second, after),
        )


def _manifest(store: Store) -> dict[str, Any]:
    try:
        return read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    sources = {name: {"licence": facts["licence"], "fingerprint": facts["fingerprint"]} for name, facts in manifest["sources"].items()}
    return {"licence": manifest["licence"], "model": manifest["model"], "sources": sources, "settings": manifest["settings"]}


def _changed(before: Any, after: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """The leaves in which two nested mappings differ, by their path."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted(before.keys() | after.keys()):
            found |= _changed(before.get(key), after.get(key), f"{name}.{key}" if name else key)
        return found
    return {} if before == after else {name: (before, after)}


def _texts(
    database: duckdb.DuckDBPyConnection, first: Store, before: dict[str, Any], second: Store, after: dict[str, Any], table: str, code: str
) -> TableDiff:
    database.register("a", first.dataset(shards(before, f"{table}/{code}")))
    database.register("b", second.dataset(shards(after, f"{table}/{code}")))
    added, removed = _only(database, "id")
    if code == ENGLISH.code:
        return TableDiff(added, removed)
    columns = [name for name in schema.TEXTS[table].names if name != "id"]
    other = " OR ".join(f"a.{name} <> b.{name}" for name in columns)  # null on either side: kept by one of them only
    [changed] = _row(database, f"SELECT count(*) FROM a JOIN b USING (id) WHERE {other}")
    moves = database.execute(
        """SELECT a.reject_reason, b.reject_reason, count(*) FROM a JOIN b USING (id)
        WHERE a.reject_reason IS DISTINCT FROM b.reject_reason GROUP BY ALL ORDER BY 3 DESC, 1, 2"""
    ).fetchall()
    scores = {}
    for name in schema.SCORES.names:
        moved, mean = _row(
            database,
            f"""SELECT count(*), coalesce(avg(b.{name} - a.{name}), 0) FROM a JOIN b USING (id)
            WHERE abs(b.{name} - a.{name}) > {_MOVED} OR (a.{name} IS NULL) <> (b.{name} IS NULL)""",
        )
        if moved:
            scores[name] = (int(moved), float(mean))
    return TableDiff(added, removed, int(changed), {(old, new): count for old, new, count in moves}, scores)


def _pairs(database: duckdb.DuckDBPyConnection, first: Store, before: dict[str, Any], second: Store, after: dict[str, Any]) -> TableDiff:
    for side, store, manifest in (("a", first, before), ("b", second, after)):
        for table in schema.TEXTS:
            database.register("english", store.dataset(shards(manifest, f"{table}/{ENGLISH.code}")))
            database.execute(f"CREATE OR REPLACE TEMP TABLE {side}_{table} AS SELECT row_number() OVER () - 1 AS row, id FROM english")
        database.register("links", store.dataset(shards(manifest, "pairs")))
        database.execute(
            f"""CREATE OR REPLACE TEMP TABLE {side}_pairs AS SELECT DISTINCT q.id || p.id AS id FROM links
            JOIN {side}_queries AS q ON q.row = query_row JOIN {side}_passages AS p ON p.row = passage_row"""
        )
    database.execute("CREATE OR REPLACE TEMP VIEW a AS SELECT * FROM a_pairs; CREATE OR REPLACE TEMP VIEW b AS SELECT * FROM b_pairs")
    return TableDiff(*_only(database, "id"))


def _only(database: duckdb.DuckDBPyConnection, key: str) -> tuple[int, int]:
    """Rows that only `b` has, and that only `a` has."""
    added, removed = (
        _row(database, f"SELECT count(*) FROM {one} ANTI JOIN {other} USING ({key})")[0] for one, other in (("b", "a"), ("a", "b"))
    )
    return int(added), int(removed)


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    found: list[tuple[Any, ...]] = database.execute(query).fetchall()
    return found[0]


def to_json(found: ReleaseDiff) -> str:
    """The difference as JSON."""

    def table(one: TableDiff) -> dict[str, Any]:
        fates = [{"before": old, "after": new, "rows": count} for (old, new), count in one.fates.items()]
        scores = {name: {"rows": count, "mean": round(mean, 4)} for name, (count, mean) in one.scores.items()}
        return {"added": one.added, "removed": one.removed, "changed": one.changed, "reasons": fates, "scores": scores}

    content = {
        "languages": {"added": found.added_languages, "removed": found.removed_languages},
        "settings": {name: {"before": old, "after": new} for name, (old, new) in found.settings.items()},
        "texts": {f"{name}/{code}": table(one) for (name, code), one in found.texts.items()},
        "pairs": table(found.pairs),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
