"""FlagEmbedding: `train.jsonl` with `query`, `pos` and `neg`.

Its data set (1.4.2) draws `train_group_size` - 1 negatives of an example: from fewer it draws again, from none it cannot. Without
negatives `neg` is an empty list, and the group size has to be 1.
"""

from __future__ import annotations

from pathlib import Path

from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports.examples import Examples
from parallel_qa.pipeline.release.sharing.exports.lines import write_lines


def fewest_negatives(asked: int) -> int:
    """One, where some are asked for."""
    return min(1, asked)


def write(reader: Reader, examples: Examples, folder: Path) -> None:
    """Write the examples to `folder`."""
    rows = ({"query": example.query, "pos": [example.passage], "neg": example.negatives} for example in examples)
    write_lines(folder / "train.jsonl", rows)
