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
        texts = {
            (table, code): _diff_texts(database, first, before, second, after, table, code) for table in schema.TEXTS for code in shared
        }
        return ReleaseDiff(
            [code for code in after["languages"] if code not in before["languages"]],
            [code for code in before["languages"] if code not in after["languages"]],
            _changed_leaves(_facts(before), _facts(after)),
            texts,
            _diff_pairs(database, first, before, second, after),
        )


def _manifest(store: Store) -> dict[str, Any]:
    try:
        return read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What is compared of a manifest."""
    sources = {
        name: {"licence": facts["licence"], "fingerprint": facts["fingerprint"], "not_translated": facts.get("not_translated", [])}
        for name, facts in manifest["sources"].items()
    }
    same = {name: manifest.get(name, {}) for name in ("licence", "model", "models", "settings")}
    return same | {"sources": sources}


def _changed_leaves(before: Any, after: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """The leaves in which two nested mappings differ, by their path."""
    if isinstance(before, dict) and isinstance(after, dict):
        leaves: dict[str, tuple[Any, Any]] = {}
        for key in sorted(before.keys() | after.keys()):
            leaves |= _changed_leaves(before.get(key), after.get(key), f"{name}.{key}" if name else key)
        return leaves
    return {} if before == after else {name: (before, after)}


def _diff_texts(
    database: duckdb.DuckDBPyConnection, first: Store, before: dict[str, Any], second: Store, after: dict[str, Any], table: str, code: str
) -> TableDiff:
    database.register("a", first.dataset(shards(before, f"{table}/{code}")))
    database.register("b", second.dataset(shards(after, f"{table}/{code}")))
    added, removed = _added_and_removed(database)
    if code == ENGLISH.code:
        return TableDiff(added, removed)
    columns = [name for name in schema.TEXTS[table].names if name != "id"]
    differs = " OR ".join(f"a.{name} <> b.{name}" for name in columns)  # null on either side: kept by one of them only
    [changed] = _first_row(database, f"SELECT count(*) FROM a JOIN b USING (id) WHERE {differs}")
    moves = database.execute(
        """SELECT a.reject_reason, b.reject_reason, count(*) FROM a JOIN b USING (id)
        WHERE a.reject_reason IS DISTINCT FROM b.reject_reason GROUP BY ALL ORDER BY 3 DESC, 1, 2"""
    ).fetchall()
    scores = {}
    for name in schema.SCORES.names:
        moved, mean = _first_row(
            database,
            f"""SELECT count(*), coalesce(avg(b.{name} - a.{name}), 0) FROM a JOIN b USING (id)
            WHERE abs(b.{name} - a.{name}) > {_MOVED} OR (a.{name} IS NULL) <> (b.{name} IS NULL)""",
        )
        if moved:
            scores[name] = (int(moved), float(mean))
    return TableDiff(added, removed, int(changed), {(old, new): count for old, new, count in moves}, scores)


def _diff_pairs(
    database: duckdb.DuckDBPyConnection, first: Store, before: dict[str, Any], second: Store, after: dict[str, Any]
) -> TableDiff:
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
    return TableDiff(*_added_and_removed(database))


def _added_and_removed(database: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Rows whose id only `b` has, and those whose id only `a` has."""
    [added] = _first_row(database, "SELECT count(*) FROM b ANTI JOIN a USING (id)")
    [removed] = _first_row(database, "SELECT count(*) FROM a ANTI JOIN b USING (id)")
    return int(added), int(removed)


def _first_row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    rows: list[tuple[Any, ...]] = database.execute(query).fetchall()
    return rows[0]


def to_json(difference: ReleaseDiff) -> str:
    """The difference as JSON."""

    def table(rows: TableDiff) -> dict[str, Any]:
        fates = [{"before": old, "after": new, "rows": count} for (old, new), count in rows.fates.items()]
        scores = {name: {"rows": count, "mean": round(mean, 4)} for name, (count, mean) in rows.scores.items()}
        return {"added": rows.added, "removed": rows.removed, "changed": rows.changed, "reasons": fates, "scores": scores}

    content = {
        "languages": {"added": difference.added_languages, "removed": difference.removed_languages},
        "settings": {name: {"before": old, "after": new} for name, (old, new) in difference.settings.items()},
        "texts": {f"{name}/{code}": table(rows) for (name, code), rows in difference.texts.items()},
        "pairs": table(difference.pairs),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
