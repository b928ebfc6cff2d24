"""Blocks of a release, built from tables in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making.build import Built, Source, build
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

    def answers(self) -> Iterator[pa.Table]:
        yield pa.table({"answers": [[]] * len(self.numbers)}, schema=schema.ANSWERS)

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        raise AssertionError("there is only English here")

    def mined(self) -> Iterator[pa.Table]:
        raise AssertionError("no negatives are mined here")


@dataclass(frozen=True)
class Answered:
    """One passage and a question for each of `scores`: what is left of its answer in German."""

    scores: tuple[float | None, ...]
    name: str = "answered"
    languages: tuple[str, ...] = ("deu_Latn",)

    def english(self, table: str) -> Iterator[pa.Table]:
        texts = ["The bridge."] if table == "passages" else [f"Question {number}?" for number in range(len(self.scores))]
        titles = {"title": [""] * len(texts)} if table == "passages" else {}
        yield pa.table({"id": [text_id(text) for text in texts], **titles, "text": texts}, schema=schema.TEXTS[table])

    def pairs(self) -> Iterator[pa.Table]:
        names = [str(number) for number in range(len(self.scores))]
        columns = {"query_row": range(len(names)), "passage_row": [0] * len(names), "negative_rows": [[]] * len(names)}
        yield pa.table(columns | {"source": [self.name] * len(names), "source_id": names, "answer": names}, schema=schema.PAIRS)

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        for texts in self.english(table):
            target = schema.scored(table)
            nulls = {field.name: pa.nulls(len(texts), field.type) for field in target}
            yield pa.table(nulls | {name: texts[name] for name in texts.column_names}, schema=target)

    def answers(self) -> Iterator[pa.Table]:
        yield pa.table({"answers": [[str(number) for number in range(len(self.scores))]]}, schema=schema.ANSWERS)

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        yield pa.table({"scores": [list(self.scores)]}, schema=schema.ANSWER_SCORES)

    def mined(self) -> Iterator[pa.Table]:
        raise AssertionError("no negatives are mined here")


FIRST, SECOND = Made("first", range(PASSAGES)), Made("second", range(PASSAGES - SHARED, 2 * PASSAGES - SHARED))


def built(sources: Sequence[Source], folder: Path, shard_bytes: int) -> tuple[Built, dict[str, list[pa.Table]]]:
    """A release in English, and the shards of its tables."""
    files: dict[str, pa.Table] = {}

    def write(name: str, rows: pa.Table, group_rows: int) -> None:
        files[name] = rows

    settings = ReleaseSettings(shard_bytes=shard_bytes)
    languages = sorted({code for source in sources for code in source.languages})
    made = build(sources, languages, FilterSettings(), settings, write, folder, LogProgress())
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


def test_a_lost_answer_takes_its_pair_alone(tmp_path: Path) -> None:
    made, tables = built([Answered((100.0, 10.0, None))], tmp_path, 2**20)
    pairs = {pair["answer"]: pair for shard in tables["pairs"] for pair in shard.to_pylist()}
    assert {answer: (pair["passage_langs"], pair["answer_scores"]) for answer, pair in pairs.items()} == {
        "0": (0b11, [100.0]),
        "1": (0b01, [10.0]),
        "2": (0b11, None),
    }
    assert [made.tallies["answered", "deu_Latn", table].to_json() for table in ("passages", "pairs")] == [
        {"read": 1, "kept": 1, "rejected": {}},
        {"read": 3, "kept": 2, "rejected": {"lost_answer": 1}},
    ]


def test_a_positive_of_one_source_is_no_negative_of_another(tmp_path: Path) -> None:
    links = {"query_row": [0], "passage_row": [0], "source_id": [""], "answer": [""]}
    texts = {"queries": ["Who?"], "passages": ["Ada.", "Ida.", "Eva."]}

    @dataclass(frozen=True)
    class Two(Made):
        order: tuple[int, ...] = ()
        negatives: tuple[int, ...] = ()

        def english(self, table: str) -> Iterator[pa.Table]:
            chosen = [texts[table][row] for row in self.order] if table == "passages" else texts[table]
            titles = {"title": [""] * len(chosen)} if table == "passages" else {}
            yield pa.table({"id": [text_id(text) for text in chosen], **titles, "text": chosen}, schema=schema.TEXTS[table])

        def pairs(self) -> Iterator[pa.Table]:
            yield pa.table(links | {"negative_rows": [list(self.negatives)], "source": [self.name]}, schema=schema.PAIRS)

    one = Two("one", range(1), order=(0, 1, 2), negatives=(1, 2))
    other = Two("other", range(1), order=(1,))
    _, tables = built([one, other], tmp_path, 2**20)
    passages = pa.concat_tables(tables["passages"])["text"].to_pylist()
    found = {
        (pair["source"], passages[pair["passage_row"]]): [passages[row] for row in pair["negative_rows"]]
        for shard in tables["pairs"]
        for pair in shard.to_pylist()
    }
    assert found == {("one", "Ada."): ["Eva."], ("other", "Ida."): []}
