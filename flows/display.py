"""Progress on a terminal as bars, elsewhere as one log line a unit."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from parallel_qa.pipeline.progress import LogProgress, Progress

# A worker shows these lines if PREFECT_LOGGING_EXTRA_LOGGERS names the logger.
logging.getLogger("parallel_qa").setLevel(logging.INFO)

_current: Progress = LogProgress()


def current_progress() -> Progress:
    """What stages report to in this process."""
    return _current


@contextlib.contextmanager
def progress_bars(console: Console) -> Iterator[None]:
    """Show progress as bars while the block runs, if `console` is a terminal."""
    global _current
    if not console.is_terminal:
        yield
        return
    before = _current
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as shown:
        _current = _BarProgress(shown)
        try:
            yield
        finally:
            _current = before


class _BarProgress:
    """One bar a unit, removed when the unit is done."""

    def __init__(self, shown: Bars) -> None:
        self._shown = shown
        self._running: dict[str, tuple[TaskID, float, int]] = {}
        self._lock = threading.Lock()

    def start(self, name: str, total: int, noun: str) -> None:
        with self._lock:
            bar = self._shown.add_task(f"{name} [dim]{noun}[/dim]", total=total or None, rate="")
            self._running[name] = (bar, time.monotonic(), 0)

    def advance(self, name: str, count: int, tokens: int = 0) -> None:
        with self._lock:
            bar, began, written = self._running[name]
            written += tokens
            self._running[name] = (bar, began, written)
            rate = f"{written / max(time.monotonic() - began, 1e-6):,.0f} tokens/s" if written else ""
            self._shown.update(bar, advance=count, rate=rate)

    def finish(self, name: str) -> None:
        with self._lock:
            bar, _, _ = self._running.pop(name)
            self._shown.remove_task(bar)
