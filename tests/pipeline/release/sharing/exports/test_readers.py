"""Every format is read by the library that it is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.release.reading.reader import directions_of
from parallel_qa.pipeline.release.sharing.export import export
from parallel_qa.pipeline.store import Store
from tests.pipeline.release.sharing.exports.conftest import ReadBack


def lines(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as rows:
        return [json.loads(row) for row in rows]


def test_flagembedding_reads_examples_without_negatives_in_groups_of_one_and_draws_of_those_that_there_are(
    mined: Store, read_back: ReadBack, tmp_path: Path
) -> None:
    counts = export(mined, "flagembedding", tmp_path / "without", None, 0)
    export(mined, "flagembedding", tmp_path / "with", [("de", "ar")], 2)
    without, rows = (lines(tmp_path / f"{name}/train.jsonl") for name in ("without", "with"))
    alone, *groups = read_back(
        "flagembedding", tmp_path / "without", 1, *(word for size in (2, 3, 6) for word in (tmp_path / "with", size))
    )
    assert alone == {"items": [[row["query"], row["pos"]] for row in without], "batch": [4, 4]}
    assert len(without) == sum(count.examples for count in counts) > 0 and not any(count.left_out for count in counts)
    for size, read in zip((2, 3, 6), groups, strict=True):
        assert read["batch"] == [4, 4 * size]
        assert [query for query, _ in read["items"]] == [row["query"] for row in rows]
        for row, (_, (positive, *negatives)) in zip(rows, read["items"], strict=True):
            assert [positive] == row["pos"]
            assert len(negatives) == size - 1 and set(negatives) <= set(row["neg"])


def test_beir_and_mteb_read_the_same_of_the_default_split(mined: Store, mined_folder: Path, read_back: ReadBack, tmp_path: Path) -> None:
    counts = export(mined, "beir", tmp_path / "export", directions_of(mined, ["de-en", "zh-de"], False), 0)
    read = read_back("beir", tmp_path / "export")
    corpus, queries, qrels = read["default"]
    assert read["train"] == read["default"]
    of_qrels = [(query, passage) for query, passages in qrels.items() for passage in passages]
    assert len(of_qrels) == sum(count.examples for count in counts) > 0
    assert {score for passages in qrels.values() for score in passages.values()} == {1}
    assert set(queries) == set(qrels) and {passage for _, passage in of_qrels} <= set(corpus)
    tables = {
        name: pq.read_table(mined_folder / name).to_pylist() for name in ("queries/deu_Latn", "passages/deu_Latn", "passages/eng_Latn")
    }
    german = {f"{row['id']}-de": row["text"] for row in tables["queries/deu_Latn"]}
    assert {query: text for query, text in queries.items() if query.endswith("-de")} == {
        name: german[name] for name in german if name in qrels
    }
    kept = {
        f"{row['id']}-{tag}": {"text": row["text"], "title": row["title"]}
        for tag, code in (("en", "eng_Latn"), ("de", "deu_Latn"))
        for row in tables[f"passages/{code}"]
        if row["text"]
    }
    assert corpus == kept
    by_mteb = read_back("mteb", tmp_path / "export")
    assert by_mteb == {"test": read["default"], "train": read["default"]}


def test_sentence_transformers_trains_a_step(mined: Store, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import BoW, Dense

    [count] = export(mined, "sentence-transformers", tmp_path / "export", [("de", "en")], 2)
    train = datasets.load_dataset("parquet", data_files=str(tmp_path / "export/train.parquet"), split="train", cache_dir=str(tmp_path))
    assert train.column_names == ["anchor", "positive", "negative_1", "negative_2"] and len(train) == count.examples > 0
    assert all(row.values() and all(row.values()) for row in train)
    words = sorted({word for row in train for text in row.values() for word in text.lower().split()})
    model = SentenceTransformer(modules=[BoW(words), Dense(len(words), 8)], device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path / "model"), max_steps=1, per_device_train_batch_size=8, report_to=[], use_cpu=True, save_strategy="no"
    )
    trained = SentenceTransformerTrainer(model, arguments, train_dataset=train, loss=MultipleNegativesRankingLoss(model)).train()
    assert trained.global_step == 1 and trained.training_loss > 0


@pytest.mark.parametrize("negatives", [0, 2])
def test_tevatron_has_what_its_data_set_looks_up(mined: Store, tmp_path: Path, negatives: int) -> None:
    """Tevatron 2 is not on PyPI and is not run here: what its `TrainDataset` asks of an example and of the corpus is asserted instead."""
    counts = export(mined, "tevatron", tmp_path / "export", [("de", "ar"), ("ar", "de")], negatives)
    folder, cache = tmp_path / "export", str(tmp_path / "cache")
    train, corpus = (
        datasets.load_dataset("json", data_files=str(folder / name), split="train", cache_dir=cache)
        for name in ("train.jsonl", "corpus.jsonl")
    )
    assert train.column_names == ["query_id", "query_text", "positive_document_ids", "negative_document_ids"]
    assert corpus.column_names == ["docid", "text"]
    texts = {row["docid"]: row["text"] for row in corpus}
    assert len(texts) == len(corpus) and all(texts.values())
    assert len(train) == sum(count.examples for count in counts) > 0
    for row in train:
        positives, others = row["positive_document_ids"], row["negative_document_ids"]
        assert row["query_text"] and len(positives) == 1 and bool(others) == bool(negatives)
        assert {positives[0].rpartition("-")[2], row["query_id"].rpartition("-")[2]} == {"de", "ar"}
        assert all(texts[text_id] != texts[positives[0]] for text_id in others)
