"""Things that are made once a process: models, indexes, whatever takes seconds and is asked for again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class MadeOnce(Generic[Key, Value]):
    """Values by their keys, each made when it is first asked for, however many threads ask at the same time.

    With `most`, at most so many are kept: the one that was not asked for longest goes before another one is made.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: dict[Key, Value] = {}  # the latest asked for comes last

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of `key`, by `make()` where there is none. What `make` raises is raised, and nothing is kept."""
        with self._lock:
            if key in self._values:
                self._values[key] = value = self._values.pop(key)
                return value
            while self._most is not None and len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = value = make()
            return value

    def forget(self, value: Value) -> None:
        """Keep `value` no longer: the next who asks gets a new one."""
        with self._lock:
            self._values = {key: kept for key, kept in self._values.items() if kept is not value}
