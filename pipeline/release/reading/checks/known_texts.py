"""What is kept of every text of a release while it is verified: a few numbers, which pairs and counts are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.release.layout.order import Hashes, Integers, Mask
from parallel_qa.pipeline.release.layout.survival import ENGLISH_BIT, REASONS, ReasonNumbers


class KnownTexts:
    """One table of texts, filled block by block and then closed. What could not be read is unknown, and nothing is said of it."""

    def __init__(self, targets: Sequence[str]) -> None:
        """`targets` are the languages of the release without English."""
        self._targets = targets
        self.complete = True
        """Whether all English shards could be read: else no row has a number."""
        self.unread: set[str] = set()
        """Languages of which a shard could not be read."""
        self.bytes = 0
        """Of all English texts and titles."""
        self.ends: Integers = np.zeros(0, np.int64)
        """By block: the row after its last."""
        self.hashes: Hashes = np.zeros(0, np.uint64)
        """Row by row the id."""
        self.sources: NDArray[np.int16] = np.zeros(0, np.int16)
        """Row by row the source, as its place in the manifest; -1 for one that is not there."""
        self.bits: Integers = np.zeros(0, np.int64)
        """Row by row in which languages the text is there."""
        self.reasons: dict[str, ReasonNumbers] = {code: np.zeros(0, np.int8) for code in targets}
        """By language and row why not."""
        self.known: Integers = np.zeros(0, np.int64)
        """By block of which languages that is known, in bits."""
        self.rejected: Counter[str] = Counter()
        """By language: rows of what was rejected."""
        self.rejected_unread: set[str] = set()
        """Languages of which a shard of that could not be read."""
        self._skipped = 0
        self._hashes: list[Hashes] = []
        self._sources: list[NDArray[np.int16]] = []
        self._bits: list[Integers] = []
        self._reasons: dict[str, list[ReasonNumbers]] = {code: [] for code in targets}
        self._known: list[int] = []

    @property
    def total(self) -> int:
        """Rows so far, with those that were skipped."""
        return self._skipped + (sum(map(len, self._hashes)) if self._hashes else len(self.hashes))

    def skip(self, rows: int) -> None:
        """The next block could not be read in English; it is said to have so many rows."""
        self.complete = False
        self._skipped += rows

    def add(self, hashes: Hashes, sources: NDArray[np.int16]) -> None:
        """The next block, in English."""
        self._hashes.append(hashes)
        self._sources.append(sources)
        self._bits.append(np.full(len(hashes), 1 << ENGLISH_BIT, dtype=np.int64))
        self._known.append(1 << ENGLISH_BIT)

    def add_language(self, code: str, there: Mask, reasons: ReasonNumbers) -> None:
        """Which texts of the block that was added last are there in a language, and why the others are not."""
        self._reasons[code].append(reasons)
        self._bits[-1] |= there.astype(np.int64) << self._bit(code)
        self._known[-1] |= 1 << self._bit(code)

    def add_unread(self, code: str) -> None:
        """Of the block that was added last a language could not be read."""
        self.unread.add(code)
        self._reasons[code].append(np.zeros(len(self._hashes[-1]), np.int8))

    def add_rejected(self, code: str, rows: int | None) -> None:
        """Rejected texts of a block in a language; None where their shard could not be read."""
        if rows is None:
            self.rejected_unread.add(code)
        else:
            self.rejected[code] += rows

    def close(self) -> None:
        """All blocks were added."""
        self.ends = np.cumsum([len(hashes) for hashes in self._hashes], dtype=np.int64)
        self.hashes = np.concatenate([self.hashes, *self._hashes])
        self.sources = np.concatenate([self.sources, *self._sources])
        self.known = np.array(self._known, np.int64)
        self.bits = np.concatenate([self.bits, *self._bits])
        self._hashes, self._sources, self._bits = [], [], []
        for code in self._targets:
            self.reasons[code] = np.concatenate([self.reasons[code], *self._reasons.pop(code)])

    def fates(self, code: str, source: int) -> Counter[str | None]:
        """How many texts of a source have which reason in a language; None is a text that is there."""
        counts = np.bincount(self.reasons[code][self.sources == source], minlength=len(REASONS) + 1).tolist()
        return Counter({reason: count for reason, count in zip((None, *REASONS), counts, strict=True) if count})

    def differ(self, rows: Integers, bits: Integers, without: Integers | int = 0) -> Mask:
        """Which of `rows` are said to be in other languages than they are, those of `without` left out, as far as that is known."""
        known = self.known[np.searchsorted(self.ends, rows, side="right")]
        wrong: Mask = (((self.bits[rows] & ~without) ^ bits) & (known | ~self._all_bits())) != 0
        return wrong

    def _all_bits(self) -> int:
        """The bits of all languages of the release."""
        return (1 << len(self._targets) + 1) - 1

    def _bit(self, code: str) -> int:
        return self._targets.index(code) + ENGLISH_BIT + 1
