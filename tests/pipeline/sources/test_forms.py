from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.forms import comparable

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8")))


def test_texts_that_differ_in_case_and_punctuation_compare_equal() -> None:
    one, two, three, nothing = comparable(
        pa.array(["Who, then, built “Marlo”?", "who then built marlo", "Who built Tessi?", None])
    ).to_pylist()
    assert one == two == "who then built marlo"
    assert three != one
    assert nothing is None


@given(TEXTS)
def test_comparable_is_stable(texts: list[str | None]) -> None:
    forms = comparable(pa.array(texts, pa.string()))
    assert all(form is None or (form == form.strip() and "  " not in form) for form in forms.to_pylist())
