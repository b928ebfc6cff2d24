"""Reads an export with the library that it is for, and prints as JSON what that has of it: `read_back.py FORMAT FOLDER …`.

Runs in a process of its own, with those libraries.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def flagembedding(*folders_and_group_sizes: str) -> Any:
    """Of each folder and group size every example as the data set for embedders gives it, and the rows of a batch from the collator."""
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderCollator, AbsEmbedderDataArguments, AbsEmbedderTrainDataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1}, "[UNK]")), pad_token="[PAD]")
    read = []
    for folder, group_size in zip(folders_and_group_sizes[::2], folders_and_group_sizes[1::2], strict=True):
        data = AbsEmbedderDataArguments(train_data=[f"{folder}/train.jsonl"], train_group_size=int(group_size))
        dataset = AbsEmbedderTrainDataset(data, tokenizer)
        items = [dataset[place] for place in range(len(dataset))]
        batch = AbsEmbedderCollator(tokenizer)(items[:4])
        rows = [len(batch[side]["input_ids"]) for side in ("queries", "passages")]
        read.append({"items": [item[:2] for item in items], "batch": rows})
    return read


def beir(folder: str) -> Any:
    """Corpus, queries and qrels of the split that is read where none is named, and of `train`."""
    from beir.datasets.data_loader import GenericDataLoader

    return {"default": GenericDataLoader(folder).load(), "train": GenericDataLoader(folder).load(split="train")}


def mteb(folder: str) -> Any:
    """The same of a retrieval task, by split."""
    from mteb import TaskMetadata
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    class Exported(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Exported",
            description="An export.",
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            dataset={"path": folder, "revision": "main"},
            eval_splits=["test", "train"],
            eval_langs=["deu-Latn"],
            main_score="ndcg_at_10",
        )

    task = Exported()
    task.load_data()
    return {
        split: [
            {row["id"]: {"title": row["title"], "text": row["text"]} for row in data["corpus"]},
            {row["id"]: row["text"] for row in data["queries"]},
            data["relevant_docs"],
        ]
        for split, data in task.dataset["default"].items()
    }


if __name__ == "__main__":
    read = {"flagembedding": flagembedding, "beir": beir, "mteb": mteb}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(read))
