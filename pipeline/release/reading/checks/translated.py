"""Texts in another language beside the English ones, and those that were rejected: the reasons follow from scores and thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.release.layout.survival import NOT_TRANSLATED, REASONS, ReasonNumbers, reason_numbers
from parallel_qa.pipeline.release.reading.checks.faults import Fault, Mask, differ, is_null, is_one_of, row_faults
from parallel_qa.pipeline.settings import Thresholds

[_NOT_TRANSLATED] = reason_numbers([NOT_TRANSLATED])
_COLUMNS = ("id", "source", *schema.SCORES.names)
"""What a rejected text has of its row in the table of texts."""


@dataclass(frozen=True)
class Block:
    """A shard of texts in one language and the shard of those that were rejected, beside the same in English."""

    table: str
    code: str
    name: str
    """The file of the texts."""
    texts: pa.Table
    rejected_name: str
    rejected: pa.Table | None
    """None where it could not be read."""
    english: pa.Table
    start: int
    """The row of the table that its first row is."""
    thresholds: Thresholds
    untranslated: list[str]
    """The sources that are not translated into the language."""

    def reasons(self) -> ReasonNumbers:
        """Row by row why a text is not there; 0 also for a reason that there is not."""
        found = pc.index_in(self.texts["reject_reason"], value_set=pa.array(REASONS))
        numbers: ReasonNumbers = (pc.fill_null(found, -1).to_numpy() + 1).astype(np.int8)
        return numbers

    def faults(self) -> Iterator[Fault]:
        """What is wrong with it."""
        yield from self._text_faults()
        yield from self._untranslated_faults()
        fallen = np.flatnonzero((self.reasons() > 0) & (self.reasons() != _NOT_TRANSLATED))
        if self.rejected is None:
            return
        faults = list(self._place_faults(self.rejected, fallen))
        yield from faults
        if not faults:
            yield from self._copy_faults(self.rejected, fallen)
            yield from self._reason_faults(self.rejected, fallen)

    def _text_faults(self) -> Iterator[Fault]:
        """Texts against the same in English, and against their own reasons."""
        texts, nothing, rejected = self.texts, is_null(self.texts["text"]), ~is_null(self.texts["reject_reason"])
        for column in ("id", "source"):
            yield from row_faults(self.name, differ(texts[column], self.english[column]), f"has another {column} than the English row")
        yield from row_faults(self.name, nothing & ~rejected, "has no text and no reason why")
        yield from row_faults(self.name, ~nothing & rejected, "has a text and a reason to reject it")
        yield from row_faults(self.name, rejected & (self.reasons() == 0), "is rejected for no reason that there is")
        if "title" in texts.column_names:
            yield from row_faults(self.name, is_null(texts["title"]) != nothing, "has a title without a text, or a text without a title")
            added = _are_empty(self.english["title"]) & ~_are_empty(texts["title"])
            yield from row_faults(self.name, added, "has a title, and none in English")

    def _untranslated_faults(self) -> Iterator[Fault]:
        """Rows of sources that are not translated into the language: they and no others say so, and there is nothing else of them."""
        expected = is_one_of(self.texts["source"], self.untranslated)
        marked = self.reasons() == _NOT_TRANSLATED
        yield from row_faults(self.name, marked & ~expected, f"is {NOT_TRANSLATED}, and the manifest does not say so of its source")
        other = f"has another reason than {NOT_TRANSLATED}, which the manifest says of its source"
        yield from row_faults(self.name, expected & ~marked, other)
        for column in [*({"title"} & set(self.texts.column_names)), *schema.SCORES.names]:
            value = marked & ~is_null(self.texts[column])
            yield from row_faults(self.name, value, f"is {NOT_TRANSLATED} and has a value in {column}")

    def _place_faults(self, rejected: pa.Table, fallen: NDArray[np.intp]) -> Iterator[Fault]:
        """Whether the rejected texts are those rows, the `fallen` of the block, in their order."""
        name, of = self.rejected_name, f"{self.table}/{self.code}"
        rows = pc.fill_null(rejected["row"], -1).to_numpy()
        outside = ~is_one_of(rejected["table"], [self.table]) | (rows < 0)
        yield from row_faults(name, outside, f"is of no row of {self.table}")
        away = (rows < self.start) | (rows >= self.start + len(self.texts))
        yield from row_faults(name, away & ~outside, f"is of a row of {self.table} in another block")
        yield from row_faults(name, rows[1:] <= rows[:-1], "is not in the order of the rows", 1)
        inside = np.flatnonzero(~away)
        reasons = self.reasons()[rows[inside] - self.start]
        untranslated = np.zeros(len(rows), bool)
        untranslated[inside] = reasons == _NOT_TRANSLATED
        yield from row_faults(name, untranslated, f"is {NOT_TRANSLATED}: no filter rejected it")
        kept = np.zeros(len(rows), bool)
        kept[inside] = reasons == 0
        yield from row_faults(name, kept, f"is of a row of {of} that was not rejected")
        lost = np.setdiff1d(fallen + self.start, rows)
        if len(lost):
            yield Fault(name, f"{len(lost)} rejected texts of {of} are not here, the first is its row {lost[0]}")

    def _copy_faults(self, rejected: pa.Table, fallen: NDArray[np.intp]) -> Iterator[Fault]:
        """Rejected texts against their rows in the table of texts."""
        beside = self.texts.select(_COLUMNS).take(pa.array(fallen))
        for column in _COLUMNS:
            wrong = differ(rejected[column], beside[column])
            yield from row_faults(self.rejected_name, wrong, f"has another {column} than the row of {self.table}/{self.code}")

    def _reason_faults(self, rejected: pa.Table, fallen: NDArray[np.intp]) -> Iterator[Fault]:
        """Reasons against scores and thresholds, of texts that were kept and of those that were not."""
        reasons = self.reasons()
        judged = reasons != _NOT_TRANSLATED
        said = rejected["reasons"].to_pylist()
        state = self._state(rejected, fallen, said)
        # The policy looks at whether there is a text, and whether there is anything in it.
        scored = self.texts.select(schema.SCORES.names).append_column("text", state)
        lengths = pc.fill_null(pc.utf8_length(self.english["text"]), 0).to_numpy().astype(np.int32)
        rejections = policy.rejections(scored, lengths, self.thresholds)
        expected = np.zeros(len(reasons), np.int8)
        for number, reason in reversed(list(enumerate(policy.REASONS, 1))):
            expected[rejections[reason]] = number
        what = "its reason, or that it has none, is not what its scores say by the thresholds of the manifest"
        yield from row_faults(self.name, judged & (reasons != expected), what)
        all_reasons = policy.all_reasons(rejections, fallen.tolist())
        unlike = np.array([given != derived for given, derived in zip(said, all_reasons, strict=True)], dtype=bool)
        yield from row_faults(self.rejected_name, unlike, "its reasons are not those that its scores say by the thresholds of the manifest")

    def _state(self, rejected: pa.Table, fallen: NDArray[np.intp], said: list[list[str] | None]) -> pa.Array:
        """Row by row null for a text that the source does not have, "" for one with nothing in it, and else something.

        A rejected text stands with its title, which may hide that the text is empty: there the reason is believed.
        """
        missing, empty = np.zeros(len(self.texts), bool), _are_blank(self.texts["text"])
        missing[fallen] = is_null(rejected["text"])
        empty[fallen] = _are_blank(rejected["text"])
        if "title" in self.texts.column_names:
            empty[fallen] |= ~_are_empty(self.english["title"])[fallen] & np.array(["empty" in (reasons or ()) for reasons in said], bool)
        return pa.array(np.where(empty, "", "x"), pa.string(), mask=missing)


def _are_empty(texts: pa.ChunkedArray) -> Mask:
    """Which texts are null or have no character."""
    mask: Mask = pc.fill_null(pc.equal(pc.binary_length(texts), 0), True).to_numpy(zero_copy_only=False)
    return mask.astype(bool)


def _are_blank(texts: pa.ChunkedArray) -> Mask:
    """Which texts are there and have nothing but whitespace."""
    mask: Mask = pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0), False).to_numpy(zero_copy_only=False)
    return mask.astype(bool)
