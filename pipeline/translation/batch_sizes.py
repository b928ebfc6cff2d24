"""The sizes of batches that were found to be fastest on this machine, kept for later runs."""

from __future__ import annotations

import contextlib
import json
import os

from parallel_qa.pipeline.settings import Environment


def remembered(key: str) -> int | None:
    """The size that was found for `key`, in tokens; None where there is none."""
    content = _read()
    size = content.get(key)
    return size if isinstance(size, int) and size > 0 else None


def remember(key: str, size: int) -> None:
    """Keep the size that was found for `key`."""
    path = Environment().calibration
    with contextlib.suppress(OSError):  # a cache that cannot be written to costs the next run some trials
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(_read() | {key: size}), encoding="utf-8")
        beside.replace(path)


def _read() -> dict[str, object]:
    try:
        content = json.loads(Environment().calibration.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
