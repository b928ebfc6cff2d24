from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.release.layout.survival import NOT_TRANSLATED, REASONS, pair_tally, reason_numbers, text_tally

reasons = st.none() | st.sampled_from(REASONS)


def test_reasons_are_those_of_the_filters_and_that_there_is_no_translation() -> None:
    assert REASONS[:-1] == policy.REASONS
    assert reason_numbers([None, REASONS[0], NOT_TRANSLATED, "whim"]).tolist() == [0, 1, len(REASONS), 0]


@given(st.lists(reasons))
def test_texts_are_counted_by_their_reasons(given_reasons: list[str | None]) -> None:
    tally = text_tally(reason_numbers(given_reasons))
    assert (tally.read, tally.rejected) == (len(given_reasons), Counter(reason for reason in given_reasons if reason))


@given(st.lists(st.tuples(reasons, reasons, st.booleans())))
def test_a_pair_is_counted_once_by_its_query_first_and_by_its_answer_last(pairs: list[tuple[str | None, str | None, bool]]) -> None:
    queries, passages = (reason_numbers([pair[side] for pair in pairs]) for side in (0, 1))
    tally = pair_tally(queries, passages, np.array([lost for *_, lost in pairs], dtype=bool))
    names = [f"query_{query}" if query else f"passage_{passage}" if passage else "lost_answer" for query, passage, _ in pairs]
    expected = Counter(name for name, pair in zip(names, pairs, strict=True) if any(pair))
    assert (tally.read, tally.kept, tally.rejected) == (len(pairs), len(pairs) - expected.total(), expected)
