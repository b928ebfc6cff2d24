from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.translation.batching import BatchSize, ahead, in_groups, out_of_memory


@given(st.lists(st.integers(1, 50)), st.integers(1, 100))
def test_a_group_holds_what_there_is_room_for_and_at_least_one(sizes: list[int], limit: int) -> None:
    groups = list(in_groups(range(len(sizes)), sizes.__getitem__, limit))
    assert [row for group in groups for row in group] == list(range(len(sizes)))
    totals = [sum(sizes[row] for row in group) for group in groups]
    assert all(total <= limit or len(group) == 1 for total, group in zip(totals, groups, strict=True))
    assert all(total + sizes[following[0]] > limit for total, following in zip(totals, groups[1:], strict=False))


def test_so_many_are_made_before_the_first_is_given() -> None:
    made: list[int] = []

    def making() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number

    under_way = [(number, len(made)) for number in ahead(making(), 3)]
    assert under_way == [(0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)]


def test_a_size_is_halved_once_however_many_batches_of_it_fail() -> None:
    size = BatchSize(1000, "sample", "cpu")
    size.halve(1000)
    size.halve(1000)
    assert size.tokens == 500
    size.halve(100)
    assert size.tokens == 64
    with pytest.raises(UserError, match="model 'sample': memory does not suffice on cpu for the smallest batch"):
        size.halve(64)


def test_errors_of_memory_are_told_from_others() -> None:
    assert out_of_memory(RuntimeError("CUDA failed with error out of memory")) and out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("No position encodings are defined for positions >= 1024"))
