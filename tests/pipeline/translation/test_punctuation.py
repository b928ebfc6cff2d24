from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.translation.punctuation import restore


@pytest.mark.parametrize(
    ("code", "raw", "restored"),
    [
        ("zho_Hans", "河很长, 城很旧.", "河很长，城很旧。"),
        ("zho_Hant", "誰建造了這座橋?", "誰建造了這座橋？"),
        ("zho_Hans", "他说:“是的”!", "他说：“是的”！"),
        ("zho_Hans", "长 3.5 公里, A, B.", "长 3.5 公里，A, B."),
        ("zho_Hans", "见 example.com.", "见 example.com."),
        ("jpn_Jpan", "川は長い, 町は古い.", "川は長い、町は古い。"),
        ("arb_Arab", "هل هو طويل, أم قصير?", "هل هو طويل، أم قصير؟"),
        ("pes_Arab", "سلام; خوبی?", "سلام؛ خوبی؟"),
        ("arb_Arab", "طوله 1,234 مترا.", "طوله 1,234 مترا."),
        ("deu_Latn", "Lang, sehr lang?", "Lang, sehr lang?"),
    ],
)
def test_marks_after_letters_of_the_script_become_its_own(code: str, raw: str, restored: str) -> None:
    assert restore(raw, LANGUAGES.find(code)) == restored


@given(st.text(st.sampled_from("河长aب1.,;:?!）) 」”")), st.sampled_from(["zho_Hans", "jpn_Jpan", "arb_Arab", "fra_Latn"]))
def test_restoring_twice_changes_nothing_more_and_letters_stay(text: str, code: str) -> None:
    language = LANGUAGES.find(code)
    once = restore(text, language)
    assert restore(once, language) == once
    assert [c for c in once if c.isalnum()] == [c for c in text if c.isalnum()]
