from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from parallel_qa.pipeline.release.layout.order import Order, order_by_key, shuffle_keys, text_hashes, text_ids
from parallel_qa.pipeline.release.making.mining import MINED
from parallel_qa.pipeline.release.making.negatives import NONE, MinedNegatives, fill_up

SEED = 3
QUERIES, PASSAGES = np.arange(10, 14, dtype=np.uint64), np.arange(100, 105, dtype=np.uint64)


def order(**hashes: np.ndarray) -> Order:
    return order_by_key({name: shuffle_keys(of_source, SEED) for name, of_source in hashes.items()})


def table(*passages: list[int]) -> pa.Table:
    return pa.table({"negatives": [text_ids(PASSAGES[rows]).to_pylist() for rows in passages]}, schema=MINED)


def test_ids_of_negatives_become_rows_of_the_release() -> None:
    queries, passages = order(first=QUERIES), order(first=PASSAGES)
    mined = MinedNegatives(queries, passages, 2, SEED)
    mined.add("first", [table([1, 2], []), table([4], [3, 0, 1])])
    place = passages.places["first"].tolist()
    expected = [[place[1], place[2]], [NONE, NONE], [place[4], NONE], [place[3], place[0]]]
    assert mined.of(queries.places["first"]).tolist() == expected


def test_a_question_of_two_sources_has_the_same_negatives_from_either() -> None:
    queries, passages = order(first=QUERIES[:2], second=QUERIES[1:]), order(first=PASSAGES[:3], second=PASSAGES[3:])
    mined = MinedNegatives(queries, passages, 1, SEED)
    mined.add("second", [table([4], [], [0])])
    mined.add("first", [table([], [4])])
    at = passages.places["second"].tolist()[1]
    assert mined.of(queries.places["first"]).tolist() == [[NONE], [at]]
    assert mined.of(queries.places["second"]).tolist() == [[at], [NONE], [passages.places["first"].tolist()[0]]]


@pytest.mark.parametrize("passages", [PASSAGES[:0], PASSAGES[:2], PASSAGES[2:]])
def test_negatives_of_other_passages_are_refused(passages: np.ndarray) -> None:
    mined = MinedNegatives(order(first=QUERIES), order(first=passages), 1, SEED)
    mined.add("first", [table([], []), MINED.empty_table()])
    with pytest.raises(ValueError, match="the negatives mined for first are of other passages than those of the release"):
        mined.add("first", [table([0], [4])])


def test_negatives_of_the_source_go_first() -> None:
    filled = fill_up([[7], [], [1, 2, 3]], np.array([[5, 7], [4, NONE], [9, 9]]), np.array([0, 4, 0]), 2)
    assert filled == [[7, 5], [], [1, 2, 3]]


def test_ids_and_numbers_stand_for_each_other() -> None:
    ids = ["00000000000000ff", "ffffffffffffffff", "0123456789abcdef"]
    assert text_ids(text_hashes(pa.array(ids))).to_pylist() == ids
    assert text_ids(np.zeros(0, np.uint64)).to_pylist() == []
