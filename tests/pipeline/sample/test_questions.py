from __future__ import annotations

import json

from parallel_qa.pipeline.sample.phrasebook import load
from parallel_qa.pipeline.sample.questions import DATA, build
from parallel_qa.pipeline.sample.train import pairs
from parallel_qa.pipeline.translation.sentences import split


def test_the_committed_sets_are_those_that_the_generator_makes() -> None:
    for name, document in zip(("questions", "evaluation"), build(), strict=True):
        assert json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")) == document


def test_the_set_is_as_large_and_as_varied_as_promised() -> None:
    questions, _ = build()
    good = [p for article in questions["data"] for p in article["paragraphs"] if not p["qas"][0]["id"].startswith("care.")]
    assert sum(len(p["qas"]) for p in good) >= 300
    assert all(2 <= len(split(p["context"]).sentences) <= 4 for p in good)
    assert all(len(p["qas"]) >= 2 for p in good)
    for paragraph, question in ((p, q) for p in good for q in p["qas"]):
        (answer,) = question["answers"]
        assert paragraph["context"][answer["answer_start"] :].lower().startswith(answer["text"].lower())
    ids = [qa["id"] for article in questions["data"] for p in article["paragraphs"] for qa in p["qas"]]
    care = {name.split(".")[1] for name in ids if name.startswith("care.")}
    kinds = {
        "out-of-domain",
        "number-only",
        "no-question",
        "empty-passage",
        "duplicate",
        "html",
        "evaluation-passage",
        "evaluation-question",
    }
    assert care == kinds


def test_the_model_never_saw_a_sentence_of_it() -> None:
    stream = pairs(load(), 7)
    seen = {text if source == "en" else translation for source, text, _, translation in (next(stream) for _ in range(150_000))}
    for document in build():
        for paragraph in (p for article in document["data"] for p in article["paragraphs"]):
            assert not seen.intersection(split(paragraph["context"]).sentences)
            assert not seen.intersection(qa["question"] for qa in paragraph["qas"])
