from __future__ import annotations

import pytest

from parallel_qa.pipeline.filters.checks.sentence_ends import ending_scores, sentence_scores


@pytest.mark.parametrize(
    ("english", "back", "parity", "ending"),
    [
        ("One. Two. Three.", "One. Two. Three.", 1.0, 1.0),
        ("One. Two. Three.", "One two.", 1 / 3, 1.0),
        ("One.", "One. And two.", 0.5, 1.0),
        ("One.", "One", 1.0, 0.0),
        ("He said: “One.”", "He said, one.", 1.0, 1.0),
        ("It was so (1444).", "It was so (1444)", 1.0, 1.0),
        ("A title", "A title.", None, None),
        ("One.", "", 1.0, 0.0),
    ],
)
def test_sentences(english: str, back: str, parity: float | None, ending: float | None) -> None:
    assert sentence_scores([english], [back]) == [parity]
    assert ending_scores([english], [back]) == [ending]
