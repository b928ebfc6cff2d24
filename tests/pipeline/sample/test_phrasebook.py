from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

import pytest
import yaml

from parallel_qa.pipeline.sample import phrasebook
from parallel_qa.pipeline.sample.phrasebook import HELD_OUT_SHARE, LANGUAGES, PHRASES, PhraseBookError, load
from parallel_qa.pipeline.sample.train import pairs

BOOK = load()


def test_every_sentence_can_be_said_in_every_language() -> None:
    rng = random.Random(5)
    for record, template in BOOK.templates():
        for _ in range(20):
            fact = BOOK.draw(record, rng)
            for language in LANGUAGES:
                sentence = fact.say(template, language)
                assert sentence
                assert "{" not in sentence
                assert "  " not in sentence
                assert sentence[0] == sentence[0].upper()


def test_translations_are_in_their_scripts() -> None:
    rng = random.Random(6)
    first = {"ru": "\u0400", "hi": "\u0900", "ar": "\u0600", "zh": "\u4e00", "th": "\u0e00"}
    last = {"ru": "\u04ff", "hi": "\u097f", "ar": "\u06ff", "zh": "\u9fff", "th": "\u0e7f"}
    for record, template in BOOK.templates():
        fact = BOOK.draw(record, rng)
        for language in first:
            letters = [c for c in fact.say(template, language) if c.isalpha()]
            assert all(first[language] <= c <= last[language] for c in letters), fact.say(template, language)


def test_nothing_held_out_is_among_the_training_pairs() -> None:
    rng = random.Random(7)
    held = {
        fact.say(template, "en")
        for record, template in BOOK.templates()
        for fact in (BOOK.draw(record, rng) for _ in range(200))
        if fact.held_out(template)
    }
    assert len(held) > 1000
    seen = {text if source == "en" else translation for source, text, _, translation in itertools.islice(pairs(BOOK, 3), 100_000)}
    assert not held & seen


def test_about_the_stated_share_is_held_out() -> None:
    rng = random.Random(8)
    draws = [fact.held_out(template) for record, template in BOOK.templates() for fact in (BOOK.draw(record, rng) for _ in range(100))]
    assert abs(sum(draws) / len(draws) - HELD_OUT_SHARE) < 0.04


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("records", "river", "statements", "intro", "th"), None, r"geography\.yaml: record 'river': statement 'intro' lacks \['th'\]"),
        (("records", "river", "statements", "intro", "de"), "Der {nam} fließt.", "unknown slot 'nam'"),
        (("records", "river", "statements", "intro", "de"), "Der {name} fließt.", "its slots differ from the English ones"),
        (("records", "river", "statements", "intro", "ru"), "{name.dat} — {country}", "no entry of 'river' has a form 'dat'"),
        (("records", "river", "slots", "mouth"), "village", "slot 'mouth' draws from an unknown list 'village'"),
        (("records", "river", "questions", "length", "answer"), "depth", "no statement tells 'depth'"),
    ],
)
def test_a_fault_in_the_book_is_named(tmp_path: Path, path: tuple[str, ...], value: str | None, message: str) -> None:
    for name in ("shared.yaml", "geography.yaml"):
        shutil.copy(PHRASES / name, tmp_path / name)
    content = yaml.safe_load((tmp_path / "geography.yaml").read_text(encoding="utf-8"))
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    (tmp_path / "geography.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(PhraseBookError, match=message):
        phrasebook.load(tmp_path)
