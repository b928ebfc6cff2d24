from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.decontamination import EvaluationIndex, Hit
from parallel_qa.pipeline.sources.forms import comparable
from parallel_qa.pipeline.sources.words import words

PASSAGE = (
    "The bridge of Marlo was finished in 1642 after nine years of work. It has seven arches of red stone, and until the great flood "
    "it carried the only road from the harbour to the market, where salt, tea and wool were sold every Friday."
)
OTHER = "Nobody expected the weather to change so quickly. Farmers in the valley had only just begun to bring in the hay when it rained."


def find(kind: str, evaluation: list[str], texts: list[str]) -> dict[int, Hit]:
    index = EvaluationIndex(kind, [(f"set {number}", text) for number, text in enumerate(evaluation)])
    forms = comparable(pa.array(texts, pa.string()))
    return index.find(forms, words(forms))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (PASSAGE.upper(), 1.0),
        (PASSAGE.replace(",", "").replace(".", " -"), 1.0),
        (f"{OTHER} {PASSAGE} {OTHER}", 1.0),
        (" ".join(PASSAGE.split()[:20]), 1.0),
        (f"{OTHER} {' '.join(PASSAGE.split()[20:])}", 0.45),
        (" ".join("changed" if place % 10 == 4 else word for place, word in enumerate(PASSAGE.split())), 0.45),
    ],
)
def test_an_edited_evaluation_passage_is_found(text: str, share: float) -> None:
    hit = find("passage", [OTHER.upper(), PASSAGE], [text])[0]
    assert hit.name in ("set 1", "set 0")
    assert hit.share >= share


def test_the_hit_names_the_text_with_the_largest_share() -> None:
    assert find("passage", [f"{OTHER} {PASSAGE}", PASSAGE], [PASSAGE])[0] == Hit("set 1", 1.0)
    assert str(Hit("xquad 56beb", 0.333)) == "xquad 56beb, share 0.33"


def test_unrelated_text_is_not_found() -> None:
    quote = "They say that the bridge of Marlo was finished late, but nobody remembers when or why, and in the end it hardly matters."
    assert find("passage", [PASSAGE], [OTHER, quote, "", "Salt."]) == {}


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("who is the author of emma", True),
        ("Who is the author of Emma, please?", True),
        ("Who is the author of Ivanhoe?", False),
        ("Who wrote Emma?", False),
        ("What is the name of the oldest bridge?", False),
    ],
)
def test_questions_from_one_template_are_different_questions(question: str, found: bool) -> None:
    known = ["Who is the author of Emma?", "What is the name of the quarterback who was 38 in Super Bowl XXXIII?"]
    assert bool(find("query", known, [question])) is found


def test_a_short_text_is_compared_as_a_whole() -> None:
    assert find("query", ["Who am I?"], ["WHO AM I", "Who am I not?"]) == {0: Hit("set 0", 1.0)}


def test_what_many_evaluation_texts_say_tells_nothing() -> None:
    boilerplate = "All rights are reserved and nothing may be copied without the written permission of the publisher."
    evaluation = [f"{boilerplate} Volume {number} is about {word}." for number, word in enumerate("abcdefghijklmnopqrstuvwxyz")]
    assert find("passage", evaluation, [f"{boilerplate} Volume 99 is about rivers."]) == {}
    assert find("passage", evaluation[:3], [f"{boilerplate} Volume 99 is about rivers."]) != {}


@given(st.lists(st.text(st.sampled_from("ab ."), max_size=30), max_size=8))
def test_every_evaluation_text_finds_itself_whatever_stands_beside_it(texts: list[str]) -> None:
    found = find("passage", texts, texts)
    forms = comparable(pa.array(texts, pa.string())).to_pylist()
    assert set(found) == {place for place, form in enumerate(forms) if form}
    assert all(hit.share == 1.0 for hit in found.values())


def test_on_xquad(xquad: Path) -> None:
    document = json.loads(gzip.decompress((xquad / "en.json.gz").read_bytes()))
    articles = [[paragraph["context"] for paragraph in article["paragraphs"]] for article in document["data"]]
    draw = random.Random(0)
    seen, unseen = ([text for article in articles[start::2] for text in article] for start in (0, 1))
    changed = [" ".join(draw.choice(OTHER.split()) if draw.random() < 0.1 else word for word in text.split()) for text in seen]
    halves = [" ".join(text.split()[: len(text.split()) // 2]) for text in seen]
    assert len(find("passage", seen, [f"{OTHER} {text} {OTHER}" for text in changed])) >= 0.99 * len(seen)
    assert len(find("passage", seen, [f"{OTHER} {text} {OTHER}" for text in halves])) >= 0.95 * len(seen)
    assert find("passage", seen, unseen) == {}
