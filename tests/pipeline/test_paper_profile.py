from __future__ import annotations

import pytest

from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.sources.training import training_sources

PAPER = {
    "wikiqa": 1_469,
    "mr-tydi": 3_547,
    "duorc": 33_298,
    "newsqa": 59_496,
    "natural-questions": 113_535,
    "yahoo-qa": 135_557,
    "entity-questions": 176_975,
    "mfaq": 3_567_659,
    "mmarco": 39_780_811,
}
"""Pairs by set, as arXiv 2408.10536 counts them: those of mMARCO are triples."""


def test_the_weights_of_the_profile_give_the_shares_of_the_paper() -> None:
    settings = load_settings("paper")
    assert settings.batches is not None
    sizes = {source.name: source.card.size for source in training_sources(settings)}
    weighted = {name: settings.batches.source_weights.get(name, 1) * size.pairs for name, size in sizes.items() if size and size.pairs}
    assert weighted.keys() == PAPER.keys()
    for name, pairs in PAPER.items():
        assert weighted[name] / sum(weighted.values()) == pytest.approx(pairs / sum(PAPER.values()), rel=0.01), name


def test_each_set_has_the_languages_that_it_has_in_the_paper() -> None:
    languages = {source.name: source.languages for source in training_sources(load_settings("paper"))}
    nine = ["arb_Arab", "zho_Hans", "deu_Latn", "spa_Latn", "rus_Cyrl", "tha_Thai", "tur_Latn", "hin_Deva"]
    assert languages.pop("mr-tydi") == languages.pop("mfaq") == []
    assert languages.pop("mmarco") == [code for code in nine if code not in ("tha_Thai", "tur_Latn")]
    assert all(codes == nine for codes in languages.values())
