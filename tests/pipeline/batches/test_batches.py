from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.batches import Batch, OpenRelease, open_release
from parallel_qa.pipeline.errors import UserError

SIZE = 16


@given(st.integers(0, 2**31), st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 40))
@settings(max_examples=60)
def test_every_batch_keeps_the_rules(made_release: OpenRelease, seed: int, step: int, alpha: float, size: int) -> None:
    batch = next(made_release.batches(alpha=alpha, batch_size=size, seed=seed, start=step))
    assert len(batch.queries) == len(batch.passages) == len(batch.pair_rows) == size
    assert len(set(batch.query_rows)) == len(set(batch.passage_rows)) == size
    pairs = made_release.columns
    assert {made_release.sources[number] for number in pairs.source[batch.pair_rows]} == {batch.source}
    assert pairs.query[batch.pair_rows].tolist() == batch.query_rows
    assert pairs.passage[batch.pair_rows].tolist() == batch.passage_rows
    for example in range(size):
        query_language, passage_language = batch.query_languages[example], batch.passage_languages[example]
        assert batch.queries[example] == f"Query: queries {batch.query_rows[example]} {query_language}"
        assert batch.passages[example] == f"Passage: passages {batch.passage_rows[example]} {passage_language}"
        assert (query_language == passage_language) == (batch.kind == "monolingual")
    if batch.kind == "monolingual":
        assert len(set(batch.query_languages)) == 1


def test_a_batch_depends_on_seed_and_step_alone(made_release: OpenRelease) -> None:
    batches = list(made_release.batches(seed=3, batch_size=SIZE, steps=6))
    assert list(made_release.batches(seed=3, batch_size=SIZE, start=2, steps=4)) == batches[2:]
    assert next(made_release.batches(seed=4, batch_size=SIZE)) != batches[0]
    assert len({tuple(batch.pair_rows) for batch in batches}) == 6


def draw(release: OpenRelease, count: int, **options: object) -> list[Batch]:
    return list(itertools.islice(release.batches(batch_size=SIZE, seed=11, **options), count))


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 0), (1.0, 1000)])
def test_the_extremes_are_pure(made_release: OpenRelease, alpha: float, expected: int) -> None:
    assert sum(batch.kind == "monolingual" for batch in draw(made_release, 1000, alpha=alpha)) == expected


def test_shares_are_those_asked_for(made_release: OpenRelease) -> None:
    """Each bound is over five standard deviations wide: a right sampler fails less than once in a million seeds."""
    batches = draw(made_release, 2000, alpha=0.3)
    monolingual = [batch for batch in batches if batch.kind == "monolingual"]
    assert abs(len(monolingual) / 2000 - 0.3) < 0.055
    assert abs(sum(batch.source == "large" for batch in batches) / 2000 - 0.75) < 0.05
    languages = Counter(batch.query_languages[0] for batch in monolingual)
    assert all(abs(count / len(monolingual) - 0.25) < 0.1 for count in languages.values())
    assert len(languages) == 4
    cross = Counter(pair for b in batches if b.kind == "cross-lingual" for pair in zip(b.query_languages, b.passage_languages, strict=True))
    assert len(cross) == 12
    # English survives always, the others in nine of ten, so its share is a little larger.
    assert all(abs(count / cross.total() - 1 / 12) < 0.02 for count in cross.values())


def test_only_the_languages_asked_for_are_drawn(made_release: OpenRelease) -> None:
    batches = draw(made_release, 50, languages=["de", "tha_Thai"])
    assert {code for b in batches for code in (*b.query_languages, *b.passage_languages)} == {"deu_Latn", "tha_Thai"}


def test_titles_stand_before_passages(make_release: Callable[..., Path]) -> None:
    release = open_release(str(make_release(sources={"only": 60}, survival=0.9, title="Titel", seed=3)))
    batch = next(release.batches(alpha=1.0, languages=["de"], batch_size=2, passage_prefix=""))
    assert batch.passages[0] == f"Titel: passages {batch.passage_rows[0]} deu_Latn"
    german = release.texts.take(release.texts.places("passages", np.arange(20), np.ones(20, np.int64)), [""] * 20)
    rejected = [row for row, text in enumerate(german) if not text]
    survived = {int(row): bool(bits >> 1 & 1) for row, bits in zip(release.columns.passage, release.columns.passage_bits, strict=True)}
    assert rejected == [row for row in range(20) if not survived[row]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "batches: alpha.start: Input should be less than or equal to 1"),
        ({"alpha": -0.1}, "batches: alpha.start: Input should be greater than or equal to 0"),
        ({"batch_size": 0}, "batches: batch_size: Input should be greater than or equal to 1"),
        ({"languages": ["fr"]}, "languages: fra_Latn is not in this release, which has eng_Latn, deu_Latn, arb_Arab, tha_Thai"),
        ({"languages": ["de", "deu_Latn"]}, "languages: de is given twice"),
        ({"languages": ["de"]}, "languages: cross-lingual batches need two languages"),
        ({"languages": ["xx"]}, "unknown language 'xx'"),
        ({"batch_size": 101}, "batch_size: 101 is more than .* batches of source 'small' can hold"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_first_batch(made_release: OpenRelease, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made_release.batches(**options)


def test_a_folder_without_a_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no release here: it has no manifest\.json"):
        open_release(str(tmp_path))


def test_a_damaged_file_is_named_before_the_first_batch(make_release: Callable[..., Path]) -> None:
    folder = make_release(sources={"only": 60})
    path = folder / "pairs/00000.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"pairs/00000\.parquet is damaged"):
        open_release(str(folder))
