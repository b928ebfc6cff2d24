from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.checks.untranslated import untranslated_shares
from parallel_qa.pipeline.languages import LANGUAGES

ENGLISH = "The old bridge of Marlo was built by the people of the valley in 1642."


@pytest.mark.parametrize(
    ("tag", "text", "share"),
    [
        ("de", "Die alte Brücke von Marlo wurde 1642 von den Leuten des Tals gebaut.", 0.0),
        ("de", ENGLISH, 1.0),
        ("de", "The old bridge of Marlo wurde 1642 von den Leuten des Tals gebaut.", 5 / 15),
        ("de", "Die alte Brücke wurde gebaut by the people of the valley in 1642.", 8 / 15),
        ("de", "Die Brücke, by the people of the valley genannt, ist alt.", 0.4 * 6 / 15),
        ("de", "Die Brücke of Marlo ist alt.", 0.0),
        ("th", "The old bridge ถูกสร้างขึ้น", 3 / 15),
        ("zh", "人们在1642年建造了这座桥in 1642.", 2 / 15),
    ],
)
def test_runs(tag: str, text: str, share: float) -> None:
    assert untranslated_shares([ENGLISH], [text], LANGUAGES.find(tag)) == [pytest.approx(share)]


def test_a_title_inside_counts_less_than_half_a_sentence() -> None:
    english = "Who sang Fog on the Tyne?"
    assert untranslated_shares([english], ["Wer schrieb Fog on the Tyne auf?"], LANGUAGES.find("de")) == [0.0]


@given(st.text(), st.text(), st.sampled_from(["de", "th", "zh", "ar"]))
def test_a_score_is_a_share(english: str, text: str, tag: str) -> None:
    assert all(0 <= share <= 1 for share in untranslated_shares([english], [text], LANGUAGES.find(tag)))
