"""A release opens in the tools of the field without our code: each is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import duckdb
import mlcroissant
import polars
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.reader import directions_of
from parallel_qa.pipeline.release.sharing.export import export
from parallel_qa.pipeline.store import Store
from tests.conftest import Run


@pytest.fixture(scope="module")
def folder(sample_run: Run) -> Path:
    """A release with mined negatives."""
    mined = sample_run.settings.release.model_copy(update={"mined_negatives": 2})
    released = publish(sample_run.settings.model_copy(update={"release": mined}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    return Path(sample_run.store.root) / released.path


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return Store(str(folder), writable=False)


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


def test_croissant_is_valid_and_reads_records(folder: Path) -> None:
    read = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    assert {record_set.id for record_set in read.metadata.record_sets} >= {
        "pairs-00000",
        "queries-deu_Latn-00000",
        "rejected-deu_Latn-queries-00000",
    }
    records = list(read.records("queries-deu_Latn-00000"))
    texts = [record["queries-deu_Latn-00000/id"].decode() for record in records]
    assert texts == pq.read_table(folder / "queries/deu_Latn")["id"].to_pylist()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_sentence_transformers_trains_a_step(store: Store, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import BoW, Dense

    count = export(store, "sentence-transformers", tmp_path / "export", [("de", "en")], 2)
    train = datasets.load_dataset("parquet", data_files=str(tmp_path / "export/train.parquet"), split="train", cache_dir=str(tmp_path))
    assert train.column_names == ["anchor", "positive", "negative_1", "negative_2"] and len(train) == count > 0
    words = sorted({word for row in train for text in row.values() for word in text.lower().split()})
    model = SentenceTransformer(modules=[BoW(words), Dense(len(words), 8)], device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path / "model"), max_steps=1, per_device_train_batch_size=8, report_to=[], use_cpu=True, save_strategy="no"
    )
    trained = SentenceTransformerTrainer(model, arguments, train_dataset=train, loss=MultipleNegativesRankingLoss(model)).train()
    assert trained.global_step == 1 and trained.training_loss > 0


def test_flagembedding_lines_have_a_positive_and_negatives(store: Store, tmp_path: Path) -> None:
    count = export(store, "flagembedding", tmp_path / "export", [("de", "ar")], 2)
    loaded = datasets.load_dataset("json", data_files=str(tmp_path / "export/train.jsonl"), split="train", cache_dir=str(tmp_path))
    assert loaded.column_names == ["query", "pos", "neg"] and len(loaded) == count > 0
    assert all(len(row["pos"]) == 1 and 1 <= len(row["neg"]) <= 2 and not set(row["pos"]) & set(row["neg"]) for row in loaded)


def test_tevatron_ids_are_in_the_corpus(store: Store, tmp_path: Path) -> None:
    count = export(store, "tevatron", tmp_path / "export", [("de", "ar"), ("ar", "de")], 2)
    corpus = {row["docid"]: row["text"] for row in lines(tmp_path / "export/corpus.jsonl")}
    rows = lines(tmp_path / "export/train.jsonl")
    assert len(rows) == count > 0
    assert all(text_id in corpus for row in rows for text_id in (*row["positive_document_ids"], *row["negative_document_ids"]))
    assert {row["query_id"].rpartition("-")[2] for row in rows} == {"de", "ar"}
    assert {row["positive_document_ids"][0].rpartition("-")[2] for row in rows if row["query_id"].endswith("-de")} == {"ar"}


def test_beir_folders_hold_what_the_qrels_name(store: Store, folder: Path, tmp_path: Path) -> None:
    count = export(store, "beir", tmp_path / "export", directions_of(store, [], True), 0)
    corpus, queries = ({row["_id"]: row for row in lines(tmp_path / f"export/{name}.jsonl")} for name in ("corpus", "queries"))
    head, *qrels = (line.split("\t") for line in (tmp_path / "export/qrels/train.tsv").read_text(encoding="utf-8").splitlines())
    assert head == ["query-id", "corpus-id", "score"]
    assert len(qrels) == count and all(query in queries and passage in corpus and score == "1" for query, passage, score in qrels)
    assert corpus and all(row["text"] for row in corpus.values())
    pairs = pq.read_table(folder / "pairs").to_pylist()
    assert count == sum(pair["query_langs"].bit_count() * pair["passage_langs"].bit_count() for pair in pairs)


def test_without_a_direction_each_language_goes_with_itself(store: Store, folder: Path, tmp_path: Path) -> None:
    count = export(store, "flagembedding", tmp_path / "export", None, 0)
    rows = lines(tmp_path / "export/train.jsonl")
    pairs = pq.read_table(folder / "pairs").to_pylist()
    assert len(rows) == count == sum((pair["query_langs"] & pair["passage_langs"]).bit_count() for pair in pairs)
    assert all(set(row) == {"query", "pos"} for row in rows)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda store, folder: export(store, "csv", folder, None, 0), "format 'csv' is none of sentence-transformers, flagembedding"),
        (lambda store, folder: export(store, "beir", folder, [("fr", "de")], 0), "fra_Latn is not in this release, which has eng_Latn"),
        (lambda store, folder: export(store, "beir", folder, [("german", "de")], 0), "unknown language 'german'"),
        (lambda store, folder: export(store, "beir", folder.parent, None, 0), "is not empty: choose another folder"),
        (lambda store, folder: directions_of(store, ["de"], False), "direction 'de': write the languages of query and passage"),
    ],
)
def test_what_cannot_be_exported_is_refused(store: Store, tmp_path: Path, act: Callable[[Store, Path], Any], message: str) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(UserError, match=message):
        act(store, tmp_path / "export")
