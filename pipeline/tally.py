"""Counting so that nothing vanishes: read = kept + rejected, by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Rows read, and those of them that were rejected, by reason."""

    read: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, reasons: Iterable[str | None]) -> Tally:
        """The tally of one row a reason; None is a row that is kept."""
        rows = list(reasons)
        return cls(len(rows), Counter(reason for reason in rows if reason is not None))

    @property
    def kept(self) -> int:
        return self.read - self.rejected.total()

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.read + other.read, self.rejected + other.rejected)

    def to_json(self) -> dict[str, int | dict[str, int]]:
        return {"read": self.read, "kept": self.kept, "rejected": dict(sorted(self.rejected.items()))}
