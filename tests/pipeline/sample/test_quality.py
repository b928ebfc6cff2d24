from __future__ import annotations

from parallel_qa.pipeline.sample.phrasebook import load
from parallel_qa.pipeline.sample.quality import held_out, measure


def test_the_sample_model_translates_what_it_never_saw() -> None:
    book = load()
    sentences = held_out(book, 150)
    assert len(sentences) == 150
    assert len({template.name + fact.record.name for fact, template in sentences}) == len(list(book.templates()))
    for quality in measure(sentences):
        assert quality.from_english >= 60, quality
        assert quality.into_english >= 60, quality
