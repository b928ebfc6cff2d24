"""A fault, and how it is found in columns of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fault:
    """Something that is wrong."""

    file: str
    what: str
    row: int | None = None  # in the file, the first is 0

    def __str__(self) -> str:
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.what}"


def row_faults(file: str, wrong: Mask, what: str, shift: int = 0) -> Iterator[Fault]:
    """A fault for the first of the `wrong` rows, and how many there are; row 0 of `wrong` is row `shift` of the file."""
    places = np.flatnonzero(wrong)
    if len(places):
        more = f" ({len(places)} rows)" if len(places) > 1 else ""
        yield Fault(file, f"{what}{more}", int(places[0]) + shift)


def is_null(values: pa.ChunkedArray) -> Mask:
    """Which values are null."""
    mask: Mask = values.is_null().to_numpy()
    return mask.astype(bool)


def is_one_of(values: pa.ChunkedArray, known: list[str]) -> Mask:
    """Which values are in `known`; null is not."""
    mask: Mask = pc.is_in(values, value_set=pa.array(known, pa.string())).to_numpy(zero_copy_only=False)
    return mask.astype(bool)


def differ(values: pa.ChunkedArray, others: pa.ChunkedArray) -> Mask:
    """Where two columns of one type and length are not the same; null is null, and what is no number is no number."""
    unlike = pc.fill_null(pc.not_equal(values, others), False).to_numpy(zero_copy_only=False).astype(bool)
    if pa.types.is_floating(values.type):
        unlike &= ~(_is_nan(values) & _is_nan(others))
    wrong: Mask = unlike | (is_null(values) != is_null(others))
    return wrong


def _is_nan(values: pa.ChunkedArray) -> Mask:
    mask: Mask = pc.fill_null(pc.is_nan(values), False).to_numpy(zero_copy_only=False)
    return mask.astype(bool)
