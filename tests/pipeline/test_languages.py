from __future__ import annotations

import pytest
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES


def test_the_table_holds_exactly_the_languages_of_nllb_200() -> None:
    assert {language.code for language in LANGUAGES} == set(FAIRSEQ_LANGUAGE_CODES)
    assert len({language.tag for language in LANGUAGES}) == len(LANGUAGES) == 202


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("ar", "arb_Arab"), ("zh", "zho_Hans"), ("zh-Hant", "zho_Hant"), ("sw", "swh_Latn"), ("ne", "npi_Deva"), ("fa", "pes_Arab"),
        ("az", "azj_Latn"), ("lv", "lvs_Latn"), ("ms", "zsm_Latn"), ("en", "eng_Latn"), ("th", "tha_Thai"), ("ko", "kor_Hang"),
    ],
)  # fmt: skip
def test_a_tag_and_a_code_find_the_same_language(tag: str, code: str) -> None:
    assert LANGUAGES.find(tag) is LANGUAGES.find(code)
    assert LANGUAGES.by_tag(tag).code == code


def test_an_unknown_language_is_named_with_near_ones() -> None:
    with pytest.raises(UserError, match=r"unknown language 'swa_Latn': did you mean .*swh_Latn"):
        LANGUAGES.find("swa_Latn")


def test_what_separates_sentences_follows_the_script() -> None:
    assert [LANGUAGES.find(tag).sentence_space for tag in ("de", "zh", "ja", "th", "ar")] == [" ", "", "", " ", " "]
    assert [LANGUAGES.find(tag).right_to_left for tag in ("ar", "he", "fa", "hi")] == [True, True, True, False]
