from __future__ import annotations

import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.once import MadeOnce


def test_threads_that_ask_at_once_get_the_same_value() -> None:
    together = threading.Barrier(8)
    made: list[object] = []
    values: MadeOnce[str, object] = MadeOnce()

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait()
        return values.get("model", make)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(answer is made[0] for answer in answers)


def test_the_value_not_asked_for_longest_goes_first() -> None:
    values: MadeOnce[str, str] = MadeOnce(most=2)
    made: Counter[str] = Counter()

    def get(key: str) -> None:
        assert values.get(key, lambda: made.update(key) or key.upper()) == key.upper()

    for key in "abacab":  # "c" takes the place of "b", and "b" that of "c"
        get(key)
    assert made == {"a": 1, "b": 2, "c": 1}


def test_what_cannot_be_made_is_tried_again() -> None:
    values: MadeOnce[int, float] = MadeOnce()
    with pytest.raises(ZeroDivisionError):
        values.get(0, lambda: 1 / 0)
    assert values.get(0, lambda: 2.0) == 2.0


class Large:
    """Something whose life can be observed."""


@given(st.lists(st.integers(0, 5)), st.integers(1, 4))
def test_never_more_than_so_many_are_alive(keys: list[int], most: int) -> None:
    values: MadeOnce[int, Large] = MadeOnce(most)
    alive: weakref.WeakSet[Large] = weakref.WeakSet()
    for key in keys:
        alive.add(values.get(key, Large))
        assert len(alive) <= most
    assert len(alive) == min(len(set(keys)), most)
