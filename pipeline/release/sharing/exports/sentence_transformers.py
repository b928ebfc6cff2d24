"""sentence-transformers: `train.parquet` with the columns `anchor`, `positive`, `negative_1` …, which losses read in that order."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports.examples import Examples

_ROWS = 5_000


def fewest_negatives(asked: int) -> int:
    """All that are asked for: each is a column, and no cell may be empty."""
    return asked


def write(reader: Reader, examples: Examples, folder: Path) -> None:
    """Write the examples to `folder`."""
    names = ["anchor", "positive", *(f"negative_{number}" for number in range(1, examples.negatives + 1))]
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = ([example.query, example.passage, *example.negatives] for example in examples)
    with pq.ParquetWriter(folder / "train.parquet", schema, compression="zstd") as writer:
        while part := list(itertools.islice(rows, _ROWS)):
            writer.write_table(pa.table([pa.array(column, pa.string()) for column in zip(*part, strict=True)], schema=schema))
