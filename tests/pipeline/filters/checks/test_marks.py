from __future__ import annotations

import pytest

from parallel_qa.pipeline.filters.checks.marks import addresses, mark_scores


@pytest.mark.parametrize(
    ("english", "text", "score"),
    [
        ("See https://example.org/a?b=1.", "Siehe https://example.org/a?b=1.", 1.0),
        ("See https://example.org/a.", "Siehe https://beispiel.org/a.", 0.0),
        ("Write to me@example.org or www.example.org.", "Schreib an me@example.org.", 0.5),
        ("The town (old) is red.", "Die Stadt (alt ist rot.", 0.75),
        ("The town (old) is red.", "这个城市（旧）是红色的。", 1.0),
        ("The town (old) is red.", "Die alte Stadt ist rot.", 1.0),
        ('He said "yes".', "Er sagte „ja“.", 1.0),
        ('He said "yes".', 'Er sagte "ja.', 0.75),
        ("See https://example.org (old).", "Siehe (alt.", 0.0),
        ("The town is red.", "Die Stadt ist (rot.", None),
    ],
)
def test_marks(english: str, text: str, score: float | None) -> None:
    assert mark_scores([english], [text]) == [score]


def test_the_mark_at_the_end_is_not_the_address() -> None:
    assert addresses("Is it www.example.org? See https://example.org/a_(b).") == {"www.example.org", "https://example.org/a_"}
