"""A release opens in the tools of the field without our code: each is run."""

from __future__ import annotations

from pathlib import Path

import datasets
import duckdb
import polars
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def folder(mined_folder: Path) -> Path:
    return mined_folder


QUESTION = """SELECT q.text AS question, p.text AS passage FROM pairs
JOIN queries AS q ON q.row = pairs.query_row JOIN passages AS p ON p.row = pairs.passage_row
WHERE q.text IS NOT NULL AND p.text IS NOT NULL ORDER BY 1, 2"""


def expected(folder: Path) -> list[tuple[str, str]]:
    """German questions with their Arabic passages."""
    queries = pq.read_table(folder / "queries/deu_Latn")["text"].to_pylist()
    passages = pq.read_table(folder / "passages/arb_Arab")["text"].to_pylist()
    pairs = pq.read_table(folder / "pairs").to_pylist()
    found = [(queries[pair["query_row"]], passages[pair["passage_row"]]) for pair in pairs]
    return sorted((query, passage) for query, passage in found if query and passage)


def test_duckdb_joins_any_two_languages(folder: Path) -> None:
    with duckdb.connect() as database:
        for name, path in (("queries", "queries/deu_Latn"), ("passages", "passages/arb_Arab")):
            database.execute(f"CREATE VIEW {name} AS SELECT *, row_number() OVER () - 1 AS row FROM '{folder}/{path}/*.parquet'")
        database.execute(f"CREATE VIEW pairs AS FROM '{folder}/pairs/*.parquet'")
        assert sorted(database.sql(QUESTION).fetchall()) == expected(folder)


def test_polars_joins_any_two_languages(folder: Path) -> None:
    def table(path: str) -> polars.LazyFrame:
        return polars.scan_parquet(f"{folder}/{path}/*.parquet")

    frames = {"queries": table("queries/deu_Latn").with_row_index("row"), "passages": table("passages/arb_Arab").with_row_index("row")}
    found = polars.SQLContext(pairs=table("pairs"), **frames).execute(QUESTION, eager=True)
    assert sorted(found.rows()) == expected(folder)


def test_datasets_maps_and_streams_every_configuration(folder: Path, tmp_path: Path) -> None:
    mapped = datasets.load_dataset(str(folder), "passages-arb_Arab", split="train", cache_dir=str(tmp_path))
    assert mapped.cache_files and mapped["text"][:3] == pq.read_table(folder / "passages/arb_Arab")["text"].to_pylist()[:3]
    streamed = datasets.load_dataset(str(folder), "passages-arb_Arab", split="train", streaming=True)
    assert list(streamed.take(3)) == pq.read_table(folder / "passages/arb_Arab").slice(0, 3).to_pylist()
