"""Files of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def line(row: Mapping[str, Any]) -> str:
    """`row` as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_lines(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row as a line of JSON in UTF-8."""
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(map(line, rows))
