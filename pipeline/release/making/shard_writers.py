"""Shards on their way to the store: compressed in threads, and only a few at a time in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.tables import give_back_memory

_THREADS = 4
_IN_MEMORY = 2**28
"""Bytes of the shards that are being written or wait for it; a larger one is written alone."""

WriteTable = Callable[[str, pa.Table, int], None]
"""Writes one shard: the file's name, its rows, and how many make a row group. Called from several threads."""


class ShardWriters:
    """Writes shards in threads; a `with` block that ends well has written all of them."""

    def __init__(self, write: WriteTable) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(min(_THREADS, available_cores()))
        self._running: deque[tuple[Future[None], int]] = deque()

    def __enter__(self) -> ShardWriters:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            while self._running and error[0] is None:
                self._running.popleft()[0].result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def write_table(self, name: str, blocks: Iterable[pa.Table], group_rows: int) -> int:
        """Write the table NAME, each block a shard, `group_rows` to a row group. Returns its rows.

        Raises what a write has raised.
        """
        total = 0
        for number, rows in enumerate(blocks):
            while self._running and sum(size for _, size in self._running) + rows.nbytes > _IN_MEMORY:
                self._running.popleft()[0].result()
            self._running.append((self._pool.submit(self._write, f"{name}/{number:05d}.parquet", rows, group_rows), rows.nbytes))
            total += len(rows)
        give_back_memory()
        return total
