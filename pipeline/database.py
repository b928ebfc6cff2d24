"""Tables on disk that are sorted, grouped and joined within a fixed share of memory, by DuckDB."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import Environment

_OUT_OF_MEMORY = "Out of Memory Error"
_DISK_FULL = "max_temp_directory_size"


class Database:
    """A database in scratch space. What is more than `PARALLEL_QA_MEMORY_MB` it writes to disk.

    That holds for sorts, joins, window functions and GROUP BY with numbers; `list(…)` and other aggregates that grow with
    their input stay in memory: sort instead, and group what is read. Rows have an order only where ORDER BY gives them one.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        """Use `folder` for all files. `purpose` begins the message where memory does not suffice: "CARD: joining its tables"."""
        self._purpose = purpose
        self._memory_mb = Environment().memory_mb
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._memory_mb}MB",
            "temp_directory": str(folder / "spill"),
            "threads": 2,
            "allocator_flush_threshold": "16MB",  # what is freed goes back to the system soon
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
        self._connection = duckdb.connect(str(folder / "scratch.duckdb"), config=config)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def run(self, statement: str) -> None:
        """Execute a statement that returns nothing. Raises UserError where memory does not suffice."""
        with self._explained():
            self._connection.execute(statement)

    def insert(self, table: str, batch: pa.Table, select: str = "*") -> None:
        """Append the rows of `batch` to `table`, as the SQL expressions `select`. Raises UserError where memory does not suffice."""
        self._connection.register("batch", batch)
        self.run(f"INSERT INTO {table} SELECT {select} FROM batch")
        self._connection.unregister("batch")

    def read(self, query: str, rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """The result of `query` in batches of at most so many rows. Raises UserError where memory does not suffice."""
        # A cursor of its own: what is written meanwhile would end the reading of a shared one.
        with self._explained(), self._connection.cursor() as cursor:
            yield from cursor.sql(query).to_arrow_reader(rows)

    def count(self, query: str) -> int:
        """The one number that `query` asks for. Raises UserError where memory does not suffice."""
        return sum(int(batch.column(0)[0].as_py()) for batch in self.read(query))

    def close(self) -> None:
        """Give back what is held; the files stay until their folder is deleted."""
        self._connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """What DuckDB says where memory or disk does not suffice, as an error that names the remedy."""
        try:
            yield
        except (duckdb.OutOfMemoryException, OSError) as error:  # while a result is read, Arrow passes errors on as OSError
            message = str(error)
            if not message.startswith(_OUT_OF_MEMORY):
                raise
            if _DISK_FULL in message:
                raise UserError(f"{self._purpose}: the disk of scratch space is full: set TMPDIR to a folder with more room") from None
            first = message.removeprefix(f"{_OUT_OF_MEMORY}: ").splitlines()[0]
            raise UserError(
                f"{self._purpose}: {self._memory_mb} MB of memory do not suffice ({first}): raise PARALLEL_QA_MEMORY_MB"
            ) from None


def parquet_rows(path: Path) -> str:
    """SQL for the rows of a Parquet file; the column `file_row_number` counts them from 0."""
    quoted = str(path).replace("'", "''")
    return f"read_parquet('{quoted}', file_row_number = true)"
