"""Blocks of a release, built from tables in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making.build import Built, build
from parallel_qa.pipeline.settings import FilterSettings, ReleaseSettings
from parallel_qa.pipeline.sources.english_tables import text_id

PASSAGES = 200
SHARED = 50
"""Passages that the second source has of the first one."""


@dataclass(frozen=True)
class Made:
    """Numbered texts: passage n, and query n, which is paired with passage n and, each fifth one, with passage n + 7 too."""

    name: str
    numbers: range
    languages: tuple[str, ...] = ()

    def english(self, table: str) -> Iterator[pa.Table]:
        texts = [f"{table} {number} of some length" for number in self.numbers]
        if table == "queries":
            texts.append("a query without pairs")
        titles = {"title": [""] * len(texts)} if table == "passages" else {}
        yield pa.table({"id": [text_id(text) for text in texts], **titles, "text": texts}, schema=schema.TEXTS[table])

    def pairs(self) -> Iterator[pa.Table]:
        size = len(self.numbers)
        links = [(row, row) for row in range(size)] + [(row, (row + 7) % size) for row in range(0, size, 5)]
        columns = {
            "query_row": [query for query, _ in links],
            "passage_row": [passage for _, passage in links],
            "negative_rows": [[]] * len(links),
            "source": [self.name] * len(links),
            "source_id": [""] * len(links),
            "answer": [""] * len(links),
        }
        yield pa.table(columns, schema=schema.PAIRS)

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        raise AssertionError("there is only English here")

    def mined(self) -> Iterator[pa.Table]:
        raise AssertionError("no negatives are mined here")


FIRST, SECOND = Made("first", range(PASSAGES)), Made("second", range(PASSAGES - SHARED, 2 * PASSAGES - SHARED))


def built(sources: list[Made], folder: Path, shard_bytes: int) -> tuple[Built, dict[str, list[pa.Table]]]:
    """A release in English, and the shards of its tables."""
    files: dict[str, pa.Table] = {}

    def write(name: str, rows: pa.Table, group_rows: int) -> None:
        files[name] = rows

    settings = ReleaseSettings(shard_bytes=shard_bytes)
    made = build(sources, [], FilterSettings(), settings, write, folder, LogProgress())
    tables: dict[str, list[pa.Table]] = {}
    for name in sorted(files):
        tables.setdefault(name.split("/")[0], []).append(files[name])
    return made, tables


def test_pairs_refer_to_shards_of_the_same_number(tmp_path: Path) -> None:
    made, tables = built([FIRST, SECOND], tmp_path, 2_000)
    assert {len(shards) for shards in tables.values()} == {made.blocks}
    size = sum(len(text) for table in ("queries", "passages") for shard in tables[table] for text in shard["text"].to_pylist())
    assert made.blocks == -(-size // 2_000) > 5
    queries, passages, pairs = (
        np.repeat(np.arange(made.blocks), [len(s) for s in tables[name]]) for name in ("queries", "passages", "pairs")
    )
    links = pa.concat_tables(tables["pairs"])
    of_query, of_passage = links["query_row"].to_numpy(), links["passage_row"].to_numpy()
    assert (queries[of_query] == pairs).all()
    away = passages[of_passage] != pairs
    several = np.bincount(of_query)[of_query] > 1
    assert not (away & ~several).any()
    assert 0 < away.sum() < several.sum()
    # At least one passage of a query is in its block.
    near = np.bincount(of_query[~away], minlength=len(queries))
    paired = np.bincount(of_query, minlength=len(queries)) > 0
    assert (near[paired] > 0).all()
    assert (~paired).sum() == 1


def test_passages_keep_their_order_whatever_the_blocks_and_neighbours_are_by_chance(tmp_path: Path) -> None:
    one, many = (built([FIRST], tmp_path / str(size), size)[1] for size in (2**20, 2_000))
    assert len(one["passages"]) == 1 and pa.concat_tables(many["passages"]) == one["passages"][0]
    links = pa.concat_tables(many["pairs"])["passage_row"].to_numpy()
    assert (np.abs(np.diff(links)) <= 1).mean() < 0.2


def test_the_order_of_sources_is_no_part_of_the_order(tmp_path: Path) -> None:
    forwards, backwards = (built(sources, tmp_path / sources[0].name, 2_000)[1] for sources in ([FIRST, SECOND], [SECOND, FIRST]))
    for table, shards in forwards.items():
        for one, other in zip(shards, backwards[table], strict=True):
            assert one.drop_columns(["source"]) == other.drop_columns(["source"])


def test_there_are_no_more_blocks_than_passages_and_at_least_one(tmp_path: Path) -> None:
    made, tables = built([Made("few", range(3))], tmp_path / "few", 1)
    assert made.blocks == 3 == len(tables["queries"]) == len(tables["pairs"])
    made, tables = built([Made("none", range(0))], tmp_path / "none", 1)
    assert made.blocks == 1 == len(tables["passages"]) == len(tables["pairs"])
