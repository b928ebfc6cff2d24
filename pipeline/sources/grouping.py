"""Sorted streams of rows, grouped while they pass: what SQL would do with all groups in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa


def with_lists(
    batches: Iterable[pa.RecordBatch], key: str, items: Iterable[pa.RecordBatch], name: str, kind: pa.DataType
) -> Iterator[pa.RecordBatch]:
    """`batches` with one more column `name`: the list of each row's items, of values of type `kind`.

    `batches` are sorted by the column `key`, a number that occurs once; `items` have the columns `key` and `value` and are
    sorted by `key`, too, which each is one of `batches`. The items of one batch are in memory at once.
    """
    stream = iter(items)
    waiting = next(stream, None)
    for batch in batches:
        keys = batch[key].to_numpy()
        parts: list[pa.RecordBatch] = []
        while waiting is not None and len(keys):
            count = int(np.searchsorted(waiting["key"].to_numpy(), keys[-1], side="right"))
            parts.append(waiting.slice(0, count))
            if count < waiting.num_rows:
                waiting = waiting.slice(count)
                break
            waiting = next(stream, None)
        owners = np.concatenate([np.empty(0, np.int64), *(part["key"].to_numpy() for part in parts)])
        values = pa.chunked_array([part["value"] for part in parts], kind).combine_chunks()
        ends = np.searchsorted(owners, keys, side="right")
        offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
        yield batch.append_column(name, pa.ListArray.from_arrays(offsets, values))


def first_of_each(batches: Iterable[pa.RecordBatch], key: str, most: int) -> Iterator[pa.RecordBatch]:
    """Of the rows of `batches` that follow each other with the same `key`, a number, the first `most`."""
    last, before = None, 0  # the key that the batch before ended with, and how many rows with it have passed
    for batch in batches:
        keys = batch[key].to_numpy()
        if not len(keys):
            continue
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        lengths = np.diff(np.append(starts, len(keys)))
        numbers = np.arange(len(keys)) - np.repeat(starts, lengths)
        if keys[0] == last:
            numbers[: lengths[0]] += before
        last, before = int(keys[-1]), int(numbers[-1]) + 1
        yield batch.filter(pa.array(numbers < most))
