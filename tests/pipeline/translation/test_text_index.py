from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.translation import text_index
from parallel_qa.pipeline.translation.text_index import TextIndex, text_keys

PARTS = st.lists(st.lists(st.text("abc é", max_size=2), max_size=12), max_size=6)


def places_by_text(parts: list[list[str]]) -> dict[str, list[int]]:
    """Every text with its places, which count from 0 over all parts."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(text for part in parts for text in part):
        places[text].append(place)
    return places


def filled(parts: list[list[str]], folder: str) -> TextIndex:
    index = TextIndex(Path(folder))
    first = 0
    for part in parts:
        index.add(text_keys(part), np.arange(first, first + len(part)))
        first += len(part)
    return index


@pytest.mark.parametrize("buffered", [1, 3, 1 << 20])
@given(PARTS)
def test_it_knows_the_first_place_of_every_text_and_all_places_of_repeated_ones(buffered: int, parts: list[list[str]]) -> None:
    expected = places_by_text(parts)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(text_index, "_BUFFERED", buffered)
        index = filled(parts, folder)
        asked = [*expected, "not here"]
        assert index.first_places(text_keys(asked)).tolist() == [*(places[0] for places in expected.values()), -1]
        found = []
        for places, starts in index.repeated():
            found += [group.tolist() for group in np.split(places, starts[1:])]
        assert sorted(found) == sorted(places for places in expected.values() if len(places) > 1)


def test_equal_texts_have_equal_keys_and_others_do_not() -> None:
    keys = text_keys(["a", "b", "", "a", "\u00e9", "e\u0301"])
    assert keys.dtype == np.uint64
    assert keys[0] == keys[3]
    assert len(set(keys.tolist())) == 5


def test_an_index_of_nothing_knows_nothing(tmp_path: Path) -> None:
    index = TextIndex(tmp_path)
    assert index.first_places(text_keys(["a", "b"])).tolist() == [-1, -1]
    assert list(index.repeated()) == []
