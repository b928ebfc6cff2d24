from __future__ import annotations

import numpy as np
import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.release.making.answers import AnswerScores, score_lists


def answers(*of_passages: list[str]) -> pa.Table:
    return pa.table({"answers": list(of_passages)}, schema=schema.ANSWERS)


def scores(*of_passages: list[float | None]) -> pa.Table:
    return pa.table({"scores": list(of_passages)}, schema=schema.ANSWER_SCORES)


def pairs(*links: tuple[int, str | None]) -> pa.Table:
    columns = {"query_row": [0] * len(links), "passage_row": [row for row, _ in links], "answer": [answer for _, answer in links]}
    rest = {"negative_rows": [[]] * len(links), "source": ["s"] * len(links), "source_id": ["i"] * len(links)}
    return pa.table(columns | rest, schema=schema.PAIRS)


def test_a_pair_has_the_score_of_its_own_answer_in_each_language() -> None:
    english = [answers(["1642", "Anna"], []), answers(["1642"])]
    german, thai = [scores([100, 40], []), scores([30])], [scores([None, 90], []), scores([80])]
    found = AnswerScores(english, [german, [], thai]).of_pairs(pairs((2, "1642"), (0, "Anna"), (0, "1642"), (1, None), (0, "")))
    nan = np.nan
    np.testing.assert_array_equal(found, [[30, nan, 80], [40, nan, 90], [100, nan, nan], [nan] * 3, [nan] * 3])
    assert score_lists(found).to_pylist() == [[30, None, 80], [40, None, 90], [100, None, None], None, None]


def test_a_source_without_answers_and_a_release_in_english_alone() -> None:
    empty = AnswerScores([answers([], [])], [[scores([], [])]]).of_pairs(pairs((0, ""), (1, None)))
    assert np.isnan(empty).all() and empty.shape == (2, 1)
    alone = AnswerScores([answers(["x"])], []).of_pairs(pairs((0, "x")))
    assert alone.shape == (1, 0) and score_lists(alone).to_pylist() == [None]
    assert score_lists(alone[:0]).to_pylist() == []
