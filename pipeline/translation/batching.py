"""How texts go to a model: in groups, some of them under way, in batches that are halved where memory does not suffice."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from parallel_qa.pipeline.errors import UserError

GROUPS_UNDER_WAY = 4
_SMALLEST_BATCH = 64

Item = TypeVar("Item")


def in_groups(rows: Iterable[int], size: Callable[[int], int], limit: int) -> Iterator[list[int]]:
    """`rows` in order, as many in a group as `limit` has room for by their `size`; at least one."""
    group: list[int] = []
    room = limit
    for row in rows:
        if group and room < size(row):
            yield group
            group, room = [], limit
        group.append(row)
        room -= size(row)
    if group:
        yield group


def ahead(items: Iterator[Item], count: int = GROUPS_UNDER_WAY) -> Iterator[Item]:
    """`items` in order, `count` of them made before the first is given: what making one starts goes on while the caller works."""
    waiting: deque[Item] = deque()
    while True:
        waiting += itertools.islice(items, count - len(waiting))
        if not waiting:
            return
        yield waiting.popleft()


class BatchSize:
    """How many tokens a batch has, for all threads that use a model."""

    def __init__(self, tokens: int, model: str, device: str) -> None:
        """`model` and `device` are what messages call them."""
        self.tokens = tokens
        self._model, self._device = model, device
        self._lock = threading.Lock()

    def halve(self, size: int) -> None:
        """Take at most half of `size`, which did not fit. Batches that were under way with it fail too, which says nothing of the half.

        Raises UserError where a batch cannot be smaller.
        """
        if size <= _SMALLEST_BATCH:
            raise UserError(f"model {self._model!r}: memory does not suffice on {self._device} for the smallest batch")
        with self._lock:
            self.tokens = min(self.tokens, max(size // 2, _SMALLEST_BATCH))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of the engine says that memory did not suffice."""
    return "out of memory" in str(error).lower() or isinstance(error, MemoryError)
