from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from parallel_qa.pipeline import pages
from parallel_qa.pipeline.batches import Loader, OpenRelease, open_release
from parallel_qa.pipeline.batches.preview.drawn import Preview, Share, first_batches, preview
from parallel_qa.pipeline.batches.preview.expected import Expected
from parallel_qa.pipeline.batches.preview.page import preview_page
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress

Make = Callable[..., Path]
FALLING = {"start": 1, "end": 0, "schedule": "linear", "steps": 400}


def look(loader: Loader, steps: int) -> Preview:
    return preview(loader, steps, LogProgress())


def expected(shares: dict[Any, Share]) -> dict[Any, float]:
    return {name: share.expected for name, share in shares.items()}


def test_expected_numbers_where_everything_survived(make_release: Make) -> None:
    """Twelve pairs, batches of two: six to an epoch, and each has a pair with a probability of 1/6."""
    release = open_release(make_release(sources={"a": 4, "b": 8}, survival=1.0, per_passage=1))
    found = look(release.loader(batch_size=2, alpha=0.75, source_temperature=1e9, languages=["en", "de"]), 13)
    assert (found.epochs, found.epoch_steps) == (2, 6)
    assert expected(found.kinds) == {"monolingual": 0.75, "cross-lingual": 0.25}
    assert found.kinds["monolingual"].error == pytest.approx(math.sqrt(0.75 * 0.25 / 13))
    assert expected(found.sources) == pytest.approx({"a": 0.5, "b": 0.5})
    for shares in (found.monolingual, found.queries, found.passages):
        assert expected(shares) == pytest.approx({"eng_Latn": 0.5, "deu_Latn": 0.5})
    assert expected(found.pairs) == pytest.approx({("eng_Latn", "deu_Latn"): 0.5, ("deu_Latn", "eng_Latn"): 0.5})
    # Half of the batches are of each source: 1/2 · 2/4 for a pair of `a`, 1/2 · 2/8 for one of `b`.
    times = [sum(count * math.comb(6, k) * p**k * (1 - p) ** (6 - k) for count, p in ((4, 1 / 4), (8, 1 / 8))) for k in range(11)]
    assert found.pair_repeats.expected == pytest.approx(times)
    assert found.passage_repeats.expected == pytest.approx(times)
    assert sum(found.pair_repeats.drawn) == 12
    assert sum(times * count for times, count in enumerate(found.pair_repeats.drawn)) == 12
    assert found.schedule is None


def test_a_schedule_is_averaged_over_the_steps(made_release: OpenRelease) -> None:
    groups = [{"languages": ["de"], "start": 1.0}]
    loader = made_release.loader(
        batch_size=4, alpha={"start": 1, "end": 0, "schedule": "linear", "steps": 4}, alpha_groups=groups, languages=["en", "de"]
    )
    found = look(loader, 4)
    # English: 1, 3/4, 1/2, 1/4, and German always 1.
    assert expected(found.kinds) == pytest.approx({"monolingual": 0.8125, "cross-lingual": 0.1875})
    assert expected(found.monolingual) == pytest.approx({"eng_Latn": 0.3125 / 0.8125, "deu_Latn": 0.5 / 0.8125})
    assert found.schedule is not None
    assert found.schedule.alphas == {("eng_Latn",): [1, 0.75, 0.5, 0.25], ("deu_Latn",): [1, 1, 1, 1]}
    assert found.schedule.expected == pytest.approx([1, 0.875, 0.75, 0.625])


@pytest.mark.parametrize(
    "settings", [{}, {"languages": ["th", "en", "ar"], "language_weights": {"th": 3}}, {"denied_pairs": [("en", "de")]}]
)
def test_pairs_of_languages_are_the_mean_over_the_pairs_that_survived(make_release: Make, settings: dict[str, Any]) -> None:
    release = open_release(make_release(sources={"a": 20, "b": 60}, survival=0.4))
    loader = release.loader(batch_size=1, source_weights={"b": 0.5}, **settings)
    columns = release.columns
    whole = dict.fromkeys(itertools.product(range(4), range(4)), 0.0)
    for number, name in enumerate(release.sources):
        weights, tables = loader.sampler.of_sources[number].pair_weights, []
        for pair in np.flatnonzero(columns.source == number):
            fits = {(q, p): weights[q, p] for q, p in whole if columns.query_bits[pair] >> q & columns.passage_bits[pair] >> p & 1}
            if sum(fits.values()):
                tables.append({between: weight / sum(fits.values()) for between, weight in fits.items()})
        for between in whole:
            whole[between] += loader.sampler.source_shares[name] * sum(table.get(between, 0) for table in tables) / len(tables)
    assert Expected(loader, 1).pairs(1)[0].ravel().tolist() == pytest.approx(list(whole.values()))


def test_repeats_are_of_what_could_be_drawn(make_release: Make) -> None:
    """Where all is in Thai, a pair without Thai does not count."""
    release = open_release(make_release(sources={"a": 90}, survival=0.5))
    loader = release.loader(batch_size=3, languages=["th"], alpha=1.0)
    possible = int((release.columns.query_bits & release.columns.passage_bits & 8 > 0).sum())
    assert 0 < possible < 90
    found = look(loader, 60)
    assert sum(found.pair_repeats.drawn) == pytest.approx(possible)
    assert sum(found.pair_repeats.expected) == pytest.approx(possible)
    p = 3 / possible
    assert found.pair_repeats.expected[1] == pytest.approx(possible * 30 * p * (1 - p) ** 29)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"alpha": 0.2, "languages": ["de", "ar", "th"], "language_weights": {"de": 4}},
    {"alpha": FALLING},
    {"alpha": 0.0, "pairs_of": "batch", "denied_pairs": [("en", "th")], "source_temperature": 3},
    {"alpha": 0.5, "alpha_groups": [{"languages": ["ar"], "start": 0.9}], "language_temperature": 1, "source_weights": {"small": 5}},
    {"mode": "monolingual", "negatives": 1},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_is_drawn_is_what_is_expected(made_release: OpenRelease, settings: dict[str, Any]) -> None:
    found = look(made_release.loader(batch_size=8, seed=7, **settings), 1500)
    for shares in (found.kinds, found.sources, found.monolingual, found.queries, found.passages, found.pairs):
        if shares and next(iter(shares.values())).of:
            assert sum(share.drawn for share in shares.values()) == next(iter(shares.values())).of
            assert sum(expected(shares).values()) == pytest.approx(1)
        assert all(abs(share.deviation or 0) < 5 for share in shares.values()), shares
    for repeats in (found.pair_repeats, found.passage_repeats):
        assert sum(repeats.drawn) == pytest.approx(sum(repeats.expected))
        assert np.abs(np.subtract(repeats.drawn, repeats.expected)).max() < 0.05 * sum(repeats.expected)
    drawn = sum(times * count for times, count in enumerate(found.pair_repeats.drawn))
    assert drawn == pytest.approx(8 * found.epoch_steps, rel=0.02)  # those drawn more often than ten times count as ten


def test_the_preview_is_of_the_batches_that_training_sees(made_release: OpenRelease) -> None:
    settings = {"batch_size": 8, "seed": 3}
    seen = list(made_release.batches(**settings, steps=200))
    found = look(made_release.loader(**settings), 200)
    assert found.kinds["monolingual"].drawn == sum(batch.kind == "monolingual" for batch in seen)
    assert found.queries["tha_Thai"].drawn == sum(batch.query_languages.count("tha_Thai") for batch in seen)
    firsts = {}
    for batch in seen:
        firsts.setdefault((batch.kind, batch.source), batch)
    assert found.batches == list(firsts.values())
    assert len(found.batches) == 4


def test_the_first_batch_of_each_kind_that_may_come(made_release: OpenRelease) -> None:
    def kinds(**settings: Any) -> set[str]:
        return {batch.kind for batch in first_batches(made_release.loader(batch_size=4, **settings))}

    assert kinds() == kinds(alpha=FALLING) == {"monolingual", "cross-lingual"}
    assert kinds(alpha=1.0) == kinds(mode="monolingual") == {"monolingual"}
    assert kinds(mode="cross-lingual") == {"cross-lingual"}


def test_steps_below_one_are_refused(made_release: OpenRelease) -> None:
    with pytest.raises(UserError, match="steps: at least one"):
        look(made_release.loader(batch_size=4), 0)


def test_the_page_shows_figures_and_batches_and_texts_as_text(page: Page, make_release: Make, tmp_path: Path) -> None:
    bait = "</script><script>window.taken=1</script><img src=x onerror=window.taken=1>"
    release = open_release(make_release(sources={"<b>small</b>": 40, "large": 120}, title=bait))
    loader = release.loader(batch_size=4, alpha=FALLING, negatives=1, query_prefix="<script>alert(1)</script>")
    found = look(loader, 400)
    pages.write(preview_page(loader, found), tmp_path / "batches.html")
    page.goto((tmp_path / "batches.html").as_uri())
    titles = page.locator(".figure .gtitle").all_text_contents()
    assert len(titles) == 9 and {"Kinds of batches", "Monolingual batches over the steps"} < set(titles)
    assert page.locator(".figure .heatmaplayer image").count() == 1
    assert "<b>small</b>" in page.locator(".figure .xtick").all_text_contents()
    assert page.evaluate("window.taken") is None
    assert page.locator(".batch").count() == len(found.batches) == 4
    first = found.batches[0]
    assert page.locator(".batch").first.locator(".query").all_inner_texts() == first.queries
    assert page.locator(".batch").first.locator(".passage").all_inner_texts() == first.passages
    assert bait in first.passages[0] and first.queries[0].startswith("<script>alert(1)</script>")
    cells = page.locator("#shares ~ .shares details").first.locator("td").all_inner_texts()
    monolingual = found.kinds["monolingual"]
    assert cells[:4] == ["monolingual", str(monolingual.drawn), f"{monolingual.share:.2%}", f"{monolingual.expected:.2%}"]


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        pages.write("", tmp_path / "missing" / "page.html")
    with pytest.raises(UserError, match="is a folder"):
        pages.write("", tmp_path)
