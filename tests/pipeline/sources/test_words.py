from __future__ import annotations

import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.words import words

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "salt", "été"]), max_size=12).map(" ".join) | st.none(), max_size=20)


@given(TEXTS)
def test_words_are_those_of_the_text(texts: list[str | None]) -> None:
    split = words(pa.array(texts, pa.string()))
    assert split.counts().tolist() == [len((text or "").split()) for text in texts]
    expected = [xxhash.xxh3_64_intdigest(word.encode()) for text in texts for word in (text or "").split()]
    assert split.values.tolist() == expected


@given(TEXTS, st.integers(1, 6))
def test_equal_runs_have_equal_numbers_and_no_others(texts: list[str | None], length: int) -> None:
    runs = words(pa.array(texts, pa.string())).runs(length)
    expected = [
        tuple(split[start : start + length])
        for split in ((text or "").split() for text in texts)
        for start in range(len(split) - length + 1)
    ]
    assert len(runs.values) == len(expected)
    assert runs.counts().tolist() == [max(len((text or "").split()) - length + 1, 0) for text in texts]
    numbers = dict(zip(expected, runs.values.tolist(), strict=True))
    assert [numbers[run] for run in expected] == runs.values.tolist()
    assert len(set(numbers.values())) == len(numbers)
