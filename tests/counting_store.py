"""A store that counts what is read of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from parallel_qa.pipeline.store import RECORD, Store


class CountingStore(Store):
    """Counts listings of folders and reads of files, by path."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.listed: Counter[str] = Counter()
        self.files_read: Counter[str] = Counter()

    def walk(self, path: str) -> Iterator[str]:
        self.listed[path] += 1
        return super().walk(path)

    def read(self, path: str) -> bytes:
        self.files_read[path] += 1
        return super().read(path)

    @property
    def records_read(self) -> Counter[str]:
        """How often each record was read."""
        return Counter({path: count for path, count in self.files_read.items() if path.endswith(f"/{RECORD}")})

    def count_anew(self) -> None:
        """Begin to count from nothing."""
        self.listed.clear()
        self.files_read.clear()
