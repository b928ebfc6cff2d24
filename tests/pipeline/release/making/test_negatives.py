from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.release.layout.order import Order, order_by_key, shuffle_keys, text_hashes, text_ids
from parallel_qa.pipeline.release.making.mining import MINED
from parallel_qa.pipeline.release.making.negatives import NONE, MinedNegatives, Positives, fill_up, without_positives

SEED = 3
QUERIES, PASSAGES = np.arange(10, 14, dtype=np.uint64), np.arange(100, 105, dtype=np.uint64)


def order(**hashes: np.ndarray) -> Order:
    return order_by_key({name: shuffle_keys(of_source, SEED) for name, of_source in hashes.items()})


def positives(*links: tuple[int, int]) -> Positives:
    known = Positives(len(PASSAGES))
    for query, passage in links:
        known.add(np.array([query], np.int64), np.array([passage], np.int64))
    known.close()
    return known


def table(*passages: list[int]) -> pa.Table:
    return pa.table({"negatives": [text_ids(PASSAGES[rows]).to_pylist() for rows in passages]}, schema=MINED)


def test_ids_of_negatives_become_rows_of_the_release() -> None:
    queries, passages = order(first=QUERIES), order(first=PASSAGES)
    mined = MinedNegatives(queries, passages, 2, SEED)
    mined.add("first", [table([1, 2], []), table([4], [3, 0, 1])])
    place = passages.places["first"].tolist()
    expected = [[place[1], place[2]], [NONE, NONE], [place[4], NONE], [place[3], place[0]]]
    assert mined.of(queries.places["first"], positives()).tolist() == expected
    known = positives((queries.places["first"][0], place[1]), (queries.places["first"][1], place[4]))
    assert mined.of(queries.places["first"], known).tolist() == [[NONE, place[2]], *expected[1:]]


def test_a_question_of_two_sources_has_the_same_negatives_from_either() -> None:
    queries, passages = order(first=QUERIES[:2], second=QUERIES[1:]), order(first=PASSAGES[:3], second=PASSAGES[3:])
    mined = MinedNegatives(queries, passages, 1, SEED)
    mined.add("second", [table([4], [], [0])])
    mined.add("first", [table([], [4])])
    at = passages.places["second"].tolist()[1]
    assert mined.of(queries.places["first"], positives()).tolist() == [[NONE], [at]]
    assert mined.of(queries.places["second"], positives()).tolist() == [[at], [NONE], [passages.places["first"].tolist()[0]]]


@pytest.mark.parametrize("passages", [PASSAGES[:0], PASSAGES[:2], PASSAGES[2:]])
def test_negatives_of_other_passages_are_refused(passages: np.ndarray) -> None:
    mined = MinedNegatives(order(first=QUERIES), order(first=passages), 1, SEED)
    mined.add("first", [table([], []), MINED.empty_table()])
    with pytest.raises(ValueError, match="the negatives mined for first are of other passages than those of the release"):
        mined.add("first", [table([0], [4])])


def test_negatives_of_the_source_go_first() -> None:
    filled = fill_up([[7], [], [1, 2, 3]], np.array([[5, 7], [4, NONE], [9, 9]]), 2)
    assert filled == [[7, 5], [4], [1, 2, 3]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.lists(st.integers(0, 4)))))
def test_no_negative_is_a_positive_of_the_same_query_in_any_pair_and_none_stands_twice(pairs: list[tuple[int, int, list[int]]]) -> None:
    queries = np.array([query for query, _, _ in pairs], np.int64)
    known = positives(*((query, passage) for query, passage, _ in pairs))
    cleaned = without_positives(pa.array([negatives for *_, negatives in pairs], pa.list_(pa.int64())), queries, known)
    answers = {(query, passage) for query, passage, _ in pairs}
    expected = [[row for row in dict.fromkeys(negatives) if (query, row) not in answers] for query, _, negatives in pairs]
    assert cleaned.to_pylist() == expected


def test_ids_and_numbers_stand_for_each_other() -> None:
    ids = ["00000000000000ff", "ffffffffffffffff", "0123456789abcdef"]
    assert text_ids(text_hashes(pa.array(ids))).to_pylist() == ids
    assert text_ids(np.zeros(0, np.uint64)).to_pylist() == []
