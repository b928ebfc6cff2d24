"""Each check by itself, and what they make of real NLLB output together."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.filters.checks.copied import copied_shares
from parallel_qa.pipeline.filters.checks.length import length_ratios
from parallel_qa.pipeline.filters.checks.repetition import repetition_scores
from parallel_qa.pipeline.filters.checks.script import script_scores
from parallel_qa.pipeline.filters.checks.untranslated import untranslated_shares
from parallel_qa.pipeline.languages import LANGUAGES


def test_loops_have_few_different_runs() -> None:
    english = "The river is long and the town is old."
    outputs = [english, "the town " + "is very old " * 9, "城市很老" * 9, "Ja.", ""]
    sound, words, characters, short, empty = repetition_scores([english] * 5, outputs)
    assert sound == short == empty == 1.0
    assert words < 0.5 and characters < 0.5


def test_what_the_english_repeats_may_be_repeated() -> None:
    english = "Marlo is old. The town of Marlo is red. People know the town of Marlo for tea. The town of Marlo has a bridge."
    german = "Marlo ist alt. Die Stadt Marlo ist rot. Man kennt die Stadt Marlo für Tee. Die Stadt Marlo hat eine Brücke."
    assert repetition_scores([english], [german])[0] > 0.9


def test_scripts() -> None:
    greek, thai, japanese = (LANGUAGES.find(tag) for tag in ("el", "th", "ja"))
    assert script_scores(["Ο ποταμός", "the river", "1642", "Ο river"], greek) == [1.0, 0.0, None, pytest.approx(1 / 6)]
    assert script_scores(["Ο ποταμός Marlo", "Marlo Bridge"], greek) == [1.0, None]  # names are written as they are
    assert script_scores(["แม่น้ำ"], thai) == [1.0]
    assert script_scores(["コーヒーを飲む人々", "ｺｰﾋｰを飲む人々"], japanese) == [1.0, 1.0]
    assert script_scores(["川はカタカナ", "东京", "这座桥是谁在什么时候建造的"], japanese) == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("language", list(LANGUAGES), ids=lambda language: language.code)
def test_every_script_of_the_table_is_known(language) -> None:
    assert script_scores(["A", "1"], language)[1] is None


def test_simplified_and_traditional_chinese_are_kept_apart(xquad: Path) -> None:
    simplified, traditional = (LANGUAGES.find(code) for code in ("zho_Hans", "zho_Hant"))
    texts = ["这座桥是谁建造的？", "這座橋是誰建造的？", "山上有水", "這座桥"]
    assert script_scores(texts, simplified) == [1.0, 0.0, 1.0, 0.5]
    assert script_scores(texts, traditional) == [0.0, 1.0, 1.0, 0.5]
    document = json.loads(gzip.decompress((xquad / "zh.json.gz").read_bytes()))
    paragraphs = [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]]
    assert sum((score or 0) < 0.5 for score in script_scores(paragraphs, simplified)) <= 1
    assert max(score for score in script_scores(paragraphs, traditional) if score is not None) < 0.2


def test_copied_words_are_counted_from_three_on() -> None:
    english = "The river flows through the valley near Marlo."
    assert copied_shares([english] * 3, [english, "Der river fließt.", "Der river flows through das Tal."]) == [
        pytest.approx(5 / 8), 0.0, pytest.approx(3 / 8),
    ]  # fmt: skip


def test_length_ratios() -> None:
    assert length_ratios(["four", "", "1234567890"], ["four", "", "12345"]) == [1.0, 0.0, 0.5]


@pytest.mark.parametrize("tag", ["am", "ar", "bn", "hi", "id", "ja", "ko", "te", "th", "tr", "zh"])
def test_on_real_output_few_lines_fall_and_broken_ones_do(flores: Path, tag: str) -> None:
    def lines(name: str) -> list[str]:
        return gzip.decompress((flores / name).read_bytes()).decode().splitlines()

    source, output, back = lines("source.en.gz"), lines(f"nllb.en-{tag}.{tag}.gz"), lines(f"nllb.{tag}-en.en.gz")
    language = LANGUAGES.find(tag)
    total = len(source)

    def share(fallen: list[bool]) -> float:
        return sum(fallen) / total

    assert share([score < 0.75 for score in repetition_scores(source, output)]) <= 0.016
    assert share([score is not None and score < 0.5 for score in script_scores(output, language)]) == 0
    assert share([score > 0.25 for score in copied_shares(source, output)]) <= 0.0011
    assert share([score > 0.15 for score in untranslated_shares(source, output, language)]) <= 0.006
    assert share([not 0.5 <= ratio <= 1.8 for ratio in length_ratios(source, back)]) <= 0.02
    loops = [f"{text} " + " ".join(text.split()[-3:] * 8) for text in back]
    assert share([score < 0.75 for score in repetition_scores(source, loops)]) == 1
    heads = [" ".join([*english.split()[: len(english.split()) * 3 // 10], text[len(text) * 3 // 10 :]])
             for english, text in zip(source, output, strict=True)]  # fmt: skip
    for broken, least in ((source, 1), (heads, 0.96)):
        assert share([score > 0.15 for score in untranslated_shares(source, broken, language)]) >= least
