"""Releases with sources that some languages do not have: what is drawn of each, what is expected, what is refused."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parallel_qa.pipeline.batches import Batch, OpenRelease, StreamedRelease, open_release, stream_release
from parallel_qa.pipeline.batches.preview.drawn import first_batches, preview
from parallel_qa.pipeline.batches.preview.page import preview_page
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress
from tests.pipeline.batches.conftest import LANGUAGES, write_release

ENGLISH, GERMAN, ARABIC, THAI = LANGUAGES
HAS = {"english": [ENGLISH], "three": [ENGLISH, GERMAN, ARABIC], "all": LANGUAGES}
SIZES = {"english": 600, "three": 600, "all": 1200}
SIZE = 8
ALPHA = 0.4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    only = {name: HAS[name] for name in ("english", "three")}
    return write_release(tmp_path_factory.mktemp("languages"), SIZES, blocks=4, mixed=True, twice=2, only=only, seed=51)


@pytest.fixture(scope="module", params=[open_release, lambda folder: stream_release(folder, 2)], ids=["opened", "streamed"])
def release(folder: Path, request: pytest.FixtureRequest) -> OpenRelease | StreamedRelease:
    opened: OpenRelease | StreamedRelease = request.param(folder)
    return opened


@pytest.fixture(scope="module")
def opened(folder: Path) -> OpenRelease:
    return open_release(folder)


def close(count: int, total: int, share: float) -> bool:
    """Within five standard deviations: a right sampler fails less than once in a million seeds."""
    return abs(count - total * share) <= 5 * math.sqrt(total * share * (1 - share))


def pairs_of_languages(batch: Batch) -> set[tuple[str, str]]:
    return set(zip(batch.query_languages, batch.passage_languages, strict=True))


@pytest.mark.parametrize("pairs_of", ["example", "batch"])
def test_a_source_is_drawn_in_the_languages_that_it_has(release: OpenRelease | StreamedRelease, pairs_of: str) -> None:
    batches = list(release.batches(batch_size=SIZE, seed=3, alpha=ALPHA, pairs_of=pairs_of, steps=900))
    by_source = {name: [batch for batch in batches if batch.source == name] for name in HAS}
    total = sum(SIZES.values())
    for name, of_source in by_source.items():
        assert close(len(of_source), 900, SIZES[name] / total), name
        drawn = set().union(*map(pairs_of_languages, of_source))
        assert drawn == {(query, passage) for query in HAS[name] for passage in HAS[name]}
        monolingual = Counter(batch.query_languages[0] for batch in of_source if batch.kind == "monolingual")
        assert close(monolingual.total(), len(of_source), ALPHA) if len(HAS[name]) > 1 else monolingual.total() == len(of_source)
        assert all(close(monolingual[code], monolingual.total(), 1 / len(HAS[name])) for code in HAS[name])
        for batch in of_source:
            sides = (
                ("Query: queries", batch.query_rows, batch.query_languages),
                ("Passage: passages", batch.passage_rows, batch.passage_languages),
            )
            for texts, (what, rows, codes) in zip((batch.queries, batch.passages), sides, strict=True):
                assert texts == [f"{what} {row} {code}" for row, code in zip(rows, codes, strict=True)]


def test_texts_that_other_sources_have_too_make_no_language_of_a_source(opened: OpenRelease) -> None:
    """Some pairs of the English source are of texts of the others."""
    number = opened.sources.index("english")
    assert 0 < opened.columns.index.kept[number, 1] < SIZE
    assert {draw.source for draw in (opened.loader(batch_size=SIZE).draw(0, step) for step in range(60))} == {0, 1, 2}
    assert opened.loader(batch_size=SIZE).sampler.of_sources[number].bits == [0]


def test_where_all_others_are_cross_lingual_a_source_of_one_language_is_not(release: OpenRelease | StreamedRelease) -> None:
    kinds = {(batch.source, batch.kind) for batch in release.batches(batch_size=SIZE, alpha=0.0, steps=200)}
    assert kinds == {("english", "monolingual"), ("three", "cross-lingual"), ("all", "cross-lingual")}


def test_a_source_with_one_of_the_languages_asked_for_is_monolingual(release: OpenRelease | StreamedRelease) -> None:
    batches = list(release.batches(batch_size=SIZE, alpha=0.0, languages=["th", "en"], steps=200))
    found = {(batch.source, pair) for batch in batches for pair in pairs_of_languages(batch)}
    alone = {(name, (ENGLISH, ENGLISH)) for name in ("english", "three")}
    assert found == alone | {("all", (ENGLISH, THAI)), ("all", (THAI, ENGLISH))}


def test_negatives_are_in_languages_that_the_source_has(opened: OpenRelease) -> None:
    loader = opened.loader(batch_size=SIZE, negatives=3, negative_language="any")
    draws = [loader.draw(0, step) for step in range(200)]
    for number, name in enumerate(opened.sources):
        bits = {bit for draw in draws if draw.source == number for rows in draw.negatives for _, bit in rows}
        assert bits == {LANGUAGES.index(code) for code in HAS[name]}, name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"mode": "cross-lingual"},
            r"mode: source 'english' has eng_Latn only, so that its batches cannot be cross-lingual: leave it out \(source_weights\)",
        ),
        ({"languages": ["de", "ar"]}, r"source 'english' has no pairs in deu_Latn, arb_Arab: name a language that it has, or leave it out"),
        (
            {"languages": ["en", "de", "th"], "source_weights": {"all": 0}},
            "languages: no source that is drawn has pairs in tha_Thai: leave it out",
        ),
        ({"languages": ["en"], "alpha": 0.5}, "languages: cross-lingual batches need two languages"),
    ],
)
def test_what_cannot_be_drawn_is_said_by_name(release: OpenRelease | StreamedRelease, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        release.loader(batch_size=SIZE, **given)


def test_what_is_left_out_is_not_in_the_way(release: OpenRelease | StreamedRelease) -> None:
    weights = {"source_weights": {"english": 0}}
    crossing = list(release.batches(batch_size=SIZE, mode="cross-lingual", steps=50, **weights))
    assert {batch.kind for batch in crossing} == {"cross-lingual"}
    without = list(release.batches(batch_size=SIZE, languages=["de", "ar"], steps=50, **weights))
    assert {code for batch in without for code in batch.query_languages} == {GERMAN, ARABIC}


def test_a_language_that_nobody_named_and_no_source_has_is_only_said(
    make_release: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "parallel_qa")
    release = open_release(make_release(sources={"three": 300}, only={"three": HAS["three"]}))
    loader = release.loader(batch_size=SIZE)
    assert "no source that is drawn has pairs in tha_Thai: no batch will be in it" in caplog.text
    assert loader.sampler.language_shares == pytest.approx({ENGLISH: 1 / 3, GERMAN: 1 / 3, ARABIC: 1 / 3, THAI: 0})


def test_expected_numbers_depend_on_the_source(opened: OpenRelease) -> None:
    pairs = {name: opened.manifest["sources"][name]["provided"]["pairs"] for name in HAS}
    share = {name: count / sum(pairs.values()) for name, count in pairs.items()}
    found = preview(opened.loader(batch_size=SIZE, alpha=ALPHA), 50, LogProgress())
    expected = {name: {key: one.expected for key, one in getattr(found, name).items()} for name in ("kinds", "sources", "monolingual")}
    monolingual = share["english"] + ALPHA * (1 - share["english"])
    assert expected["kinds"] == pytest.approx({"monolingual": monolingual, "cross-lingual": 1 - monolingual})
    assert expected["sources"] == pytest.approx(share)
    others = ALPHA * share["three"] / 3 + ALPHA * share["all"] / 4
    of_languages = {ENGLISH: share["english"] + others, GERMAN: others, ARABIC: others, THAI: ALPHA * share["all"] / 4}
    assert expected["monolingual"] == pytest.approx({code: of / monolingual for code, of in of_languages.items()})


SETTINGS: list[dict[str, Any]] = [
    {"alpha": ALPHA},
    {"alpha": {"start": 1, "end": 0, "schedule": "linear", "steps": 1000}, "alpha_groups": [{"languages": ["ar"], "start": 0.7}]},
    {"alpha": 0.1, "pairs_of": "batch", "language_weights": {"de": 3}},
    {"alpha": 0.3, "languages": ["en", "th", "de"], "language_temperature": 2, "source_weights": {"english": 0.5}},
    {"mode": "monolingual"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_is_drawn_is_what_is_expected(opened: OpenRelease, settings: dict[str, Any]) -> None:
    found = preview(opened.loader(batch_size=SIZE, seed=7, **settings), 1500, LogProgress())
    for shares in (found.kinds, found.sources, found.monolingual, found.queries, found.passages, found.pairs):
        if shares and next(iter(shares.values())).of:
            assert sum(share.expected for share in shares.values()) == pytest.approx(1)
        assert all(abs(share.deviation or 0) < 5 for share in shares.values()), shares
        assert all(share.expected > 0 for share in shares.values() if share.drawn), shares
    for repeats in (found.pair_repeats, found.passage_repeats):
        assert sum(repeats.drawn) == pytest.approx(sum(repeats.expected))
        assert np.abs(np.subtract(repeats.drawn, repeats.expected)).max() < 0.05 * sum(repeats.expected)


def test_the_page_says_what_a_source_does_not_have(opened: OpenRelease) -> None:
    loader = opened.loader(batch_size=SIZE)
    page = preview_page(loader, preview(loader, 20, LogProgress()))
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    assert "languages of english English: monolingual, whatever alpha is" in words
    assert "languages of three English, German, Arabic" in words
    assert "languages of all " not in words


def test_the_first_batches_are_of_the_kinds_that_may_come(opened: OpenRelease) -> None:
    def kinds(**given: Any) -> set[str]:
        return {batch.kind for batch in first_batches(opened.loader(batch_size=SIZE, **given))}

    assert kinds(alpha=0.0) == {"monolingual", "cross-lingual"}
    assert kinds(alpha=0.0, source_weights={"english": 0}) == {"cross-lingual"}
    assert kinds(source_weights={"three": 0, "all": 0}, languages=["en"], alpha=1) == {"monolingual"}
    assert kinds(source_weights={"three": 0, "all": 0}) == {"monolingual"}
