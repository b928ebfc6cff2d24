"""Tevatron 2: `train.jsonl` with `query_id`, `query_text`, `positive_document_ids`, `negative_document_ids`, and `corpus.jsonl`.

Its data set draws `train_group_size` - 1 negatives of an example: from fewer it draws again, from none it cannot. The release on
PyPI, 0.1.0, has another format, with the texts of passages in the examples.
"""

from __future__ import annotations

from pathlib import Path

from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports.examples import Examples, surviving_texts
from parallel_qa.pipeline.release.sharing.exports.lines import write_lines


def fewest_negatives(asked: int) -> int:
    """One, where some are asked for."""
    return min(1, asked)


def write(reader: Reader, examples: Examples, folder: Path) -> None:
    """Write the examples to `folder`, and all passages in their languages."""
    rows = (
        {
            "query_id": example.query_id,
            "query_text": example.query,
            "positive_document_ids": [example.passage_id],
            "negative_document_ids": example.negative_ids,
        }
        for example in examples
    )
    write_lines(folder / "train.jsonl", rows)
    passages = surviving_texts(reader, "passages", [passage for _, passage in examples.directions], titled=True)
    write_lines(folder / "corpus.jsonl", ({"docid": text_id, "text": text} for text_id, _, text in passages))
