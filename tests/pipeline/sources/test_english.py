from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from parallel_qa.pipeline.sources.english import foreign
from parallel_qa.pipeline.sources.forms import comparable
from parallel_qa.pipeline.sources.words import words


def judged(texts: list[str]) -> list[bool]:
    array = pa.array(texts)
    return foreign(array, words(comparable(array)))


def test_other_languages_are_told_and_names_are_not_judged() -> None:
    texts = [
        "What is the name of the bridge that they built there?",
        "Salt mined annually, northern provinces, thousand tonnes",
        "Wie heißt die Brücke, die dort gebaut wurde?",
        "Die Rolling Stones sind eine britische Rockband, die 1962 gegründet wurde.",
        "這座橋是什麼時候建造的？ 這座橋是什麼時候建造的？ 這座橋是 什麼 時候",
        "Tegucigalpa",
        "",
    ]
    assert judged(texts) == [False, False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("language", "least", "most"), [("en", 0, 0.005), ("de", 0.97, 1), ("es", 0.97, 1), ("tr", 0.97, 1), ("th", 0.9, 1)]
)
def test_on_xquad(xquad: Path, language: str, least: float, most: float) -> None:
    document = json.loads(gzip.decompress((xquad / f"{language}.json.gz").read_bytes()))
    paragraphs = [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]]
    assert least <= sum(judged(paragraphs)) / len(paragraphs) <= most
    if language == "en":
        questions = [qa["question"] for article in document["data"] for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
        assert sum(judged(questions)) / len(questions) <= 0.005
