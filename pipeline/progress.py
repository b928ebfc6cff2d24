"""How a stage tells what it is doing. The stage calls; who shows it is decided outside."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

log = logging.getLogger("parallel_qa")


class Progress(Protocol):
    """Follows one unit of work; methods may be called from any thread."""

    def start(self, name: str, total: int, noun: str) -> None:
        """`total` things called `noun` are about to be worked on as the unit `name`."""

    def advance(self, name: str, count: int, tokens: int = 0) -> None:
        """`count` more things are done; `tokens` were written by the model for them."""

    def finish(self, name: str) -> None:
        """The unit is done and in the store."""


class LogProgress:
    """One log line for each finished unit, with its rate."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[float, str, int, int]] = {}
        self._lock = threading.Lock()

    def start(self, name: str, total: int, noun: str) -> None:
        with self._lock:
            self._running[name] = (time.monotonic(), noun, 0, 0)

    def advance(self, name: str, count: int, tokens: int = 0) -> None:
        with self._lock:
            began, noun, counted, written = self._running[name]
            self._running[name] = (began, noun, counted + count, written + tokens)

    def finish(self, name: str) -> None:
        with self._lock:
            began, noun, count, tokens = self._running.pop(name)
        seconds = max(time.monotonic() - began, 1e-6)
        rate = f", {tokens / seconds:,.0f} tokens/s" if tokens else ""
        log.info("%s: %s %s in %.1f s%s", name, f"{count:,}", noun, seconds, rate)
