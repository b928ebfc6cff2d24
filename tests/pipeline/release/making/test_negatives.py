from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.release.making.negatives import NONE, fill_up, mine
from parallel_qa.pipeline.release.making.publish import publish
from tests.conftest import Run

PASSAGES = [
    "The river Aldo is 740 kilometres long and ends in Velu.",
    "The river Aldo is 740 kilometres long, and it ends in Velu!",
    "The river Hintu is 122 kilometres long and ends in Orso.",
    "The hotel of Velu has ninety rooms.",
    "Nothing of the kind.",
]


def test_a_negative_is_no_positive_and_not_nearly_one() -> None:
    queries = ["How long is the river Aldo?", "How many rooms has the hotel?"]
    found = mine(queries, PASSAGES, (np.array([0, 1]), np.array([0, 3])), 3)
    assert found[0].tolist() == [2, NONE, NONE]  # the second passage is the first in other words
    assert 3 not in found[1].tolist()


def test_every_positive_of_a_query_is_left_out() -> None:
    found = mine(["river kilometres long"], PASSAGES, (np.array([0, 0]), np.array([0, 2])), 4)
    assert found.tolist() == [[NONE] * 4]


def test_nothing_to_search_finds_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    assert mine([], PASSAGES, (nothing, nothing), 2).shape == (0, 2)
    assert mine(["a question"], [], (nothing, nothing), 2).tolist() == [[NONE, NONE]]


def test_negatives_of_the_source_go_first() -> None:
    filled = fill_up([[7], [], [1, 2, 3]], np.array([[5, 7], [4, NONE], [9, 9]]), np.array([0, 4, 0]), 2)
    assert filled == [[7, 5], [], [1, 2, 3]]


@pytest.mark.parametrize("count", [1, 3])
def test_a_release_has_them_in_every_language(sample_run: Run, count: int) -> None:
    mined = sample_run.settings.release.model_copy(update={"mined_negatives": count})
    released = publish(sample_run.settings.model_copy(update={"release": mined}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    folder = Path(sample_run.store.root) / released.path
    pairs = pq.read_table(folder / "pairs").to_pylist()
    passages = pq.read_table(folder / "passages/eng_Latn")["text"].to_pylist()
    assert all(len(pair["negative_rows"]) <= count for pair in pairs)
    assert sum(len(pair["negative_rows"]) for pair in pairs) > 0.8 * count * len(pairs)
    positives: dict[int, set[int]] = {}
    for pair in pairs:
        positives.setdefault(pair["query_row"], set()).add(pair["passage_row"])
    assert all(not positives[pair["query_row"]] & set(pair["negative_rows"]) for pair in pairs)
    assert all(0 <= row < len(passages) for pair in pairs for row in pair["negative_rows"])
