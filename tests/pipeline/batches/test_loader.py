"""Epochs, state, ranks, weights, schedules, negatives: what a training run asks of the loader."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.batch_settings import Alpha, BatchSettings
from parallel_qa.pipeline.batches import Batch, OpenRelease, open_release
from parallel_qa.pipeline.batches.links import pairs_in_memory
from parallel_qa.pipeline.batches.sampling.sampler import Sampler, Totals
from parallel_qa.pipeline.errors import UserError

SIZE = 16

options = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["monolingual", "cross-lingual", "hybrid"]),
        "alpha": st.floats(0, 1),
        "seed": st.integers(0, 2**31),
        "batch_size": st.integers(1, 40),
        "pairs_of": st.sampled_from(["example", "batch"]),
        "negatives": st.integers(0, 3),
        "negative_language": st.sampled_from(["query", "passage", "any"]),
        "source_temperature": st.floats(0.5, 10),
        "language_temperature": st.none() | st.floats(0.5, 10),
    }
)


@given(options, st.integers(0, 3), st.integers(0, 10_000))
@settings(max_examples=80)
def test_no_example_is_a_false_negative_of_another(made_release: OpenRelease, given: dict[str, Any], epoch: int, step: int) -> None:
    batch = made_release.loader(**given).batch(epoch, step)
    pairs = made_release.columns
    answers: dict[int, set[int]] = {}
    for query, passage in zip(pairs.query.tolist(), pairs.passage.tolist(), strict=True):
        answers.setdefault(query, set()).add(passage)
    assert len(set(batch.query_rows)) == len(set(batch.passage_rows)) == len(batch.queries) == given["batch_size"]
    for query, passage in zip(batch.query_rows, batch.passage_rows, strict=True):
        assert answers[query] & set(batch.passage_rows) == {passage}
        assert not answers[query] & {row for rows in batch.negative_rows for row in rows}
    assert len(batch.negatives) == (given["batch_size"] if given["negatives"] else 0)
    assert all(len(texts) <= given["negatives"] for texts in batch.negatives)
    if given["mode"] != "hybrid":
        assert batch.kind == given["mode"]
    if batch.kind == "cross-lingual" and given["pairs_of"] == "batch":
        assert len(set(zip(batch.query_languages, batch.passage_languages, strict=True))) == 1


def test_a_query_with_two_answers_keeps_both_out_of_a_batch(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 12}, per_passage=1, survival=1.0))
    links = release.columns.links.copy()
    links[1, 0] = links[0, 0]  # passages 0 and 1 answer the same query
    pairs = pairs_in_memory(links, 1, len(release.languages))
    totals = Totals(pairs.index.sizes, pairs.index.kept, pairs.index.kept > 0)
    sampler = Sampler(pairs, ["only"], release.languages, BatchSettings(batch_size=11), totals)
    for step in range(50):
        drawn = sampler.draw(0, step, 0).pairs.tolist()
        assert not {0, 1} <= set(drawn)
    with pytest.raises(UserError, match="batch_size: 12 is more than"):
        Sampler(pairs, ["only"], release.languages, BatchSettings(batch_size=12), totals)


@given(st.integers(0, 200), st.integers(1, 7))
@settings(max_examples=30)
def test_a_state_of_a_few_numbers_goes_on_exactly(made_release: OpenRelease, taken: int, after: int) -> None:
    first, second = (made_release.loader(batch_size=SIZE, seed=5) for _ in range(2))
    stream = itertools.chain.from_iterable(iter(first) for _ in itertools.count())
    for _ in range(taken):
        next(stream)
    state = first.state_dict()
    assert set(state) == {"release", "settings", "epoch", "step"}
    second.load_state_dict(state)
    other = itertools.chain.from_iterable(iter(second) for _ in itertools.count())
    assert [next(stream) for _ in range(after)] == [next(other) for _ in range(after)]


def test_an_epoch_is_as_long_as_it_says_and_the_next_is_another(made_release: OpenRelease) -> None:
    loader = made_release.loader(batch_size=SIZE)
    epochs = [list(loader) for _ in range(2)]
    assert [len(epoch) for epoch in epochs] == [len(loader)] * 2 == [1200 // SIZE] * 2
    assert epochs[0] != epochs[1]
    loader.set_epoch(0)
    assert next(iter(loader)) == epochs[0][0]
    assert list(made_release.batches(batch_size=SIZE, start=len(loader), steps=2)) == epochs[1][:2]


def test_a_state_of_another_release_or_other_settings_is_refused(made_release: OpenRelease, make_release: Callable[..., Path]) -> None:
    state = made_release.loader(batch_size=SIZE).state_dict()
    with pytest.raises(UserError, match="this state was taken with other settings"):
        made_release.loader(batch_size=SIZE, seed=1).load_state_dict(state)
    other = open_release(make_release(sources={"small": 300, "large": 900}, seed=1))
    with pytest.raises(UserError, match="this state was taken with other release"):
        other.loader(batch_size=SIZE).load_state_dict(state)


@given(st.integers(1, 9), st.integers(1, 40))
@settings(max_examples=20)
def test_ranks_share_a_batch_and_have_it_whole(made_release: OpenRelease, ranks: int, size: int) -> None:
    batch = made_release.loader(batch_size=size, negatives=1).batch(0, 3)
    parts = [batch.part(rank, ranks) for rank in range(ranks)]
    for name in ("queries", "passages", "query_languages", "pair_rows", "negatives", "negative_rows"):
        assert [value for part in parts for value in getattr(part, name)] == getattr(batch, name)
    assert max(len(part.queries) for part in parts) - min(len(part.queries) for part in parts) <= 1


def draw(release: OpenRelease, count: int, **given: Any) -> list[Batch]:
    return list(release.batches(batch_size=SIZE, seed=11, steps=count, **given))


def close(count: int, total: int, share: float) -> bool:
    """Within five standard deviations: a right sampler fails less than once in a million seeds."""
    return abs(count - total * share) <= 5 * math.sqrt(total * share * (1 - share))


def test_sources_are_drawn_by_weight_temperature_and_cap(made_release: OpenRelease) -> None:
    for wanted, share in (
        ({}, 0.75),
        ({"source_temperature": 2.0}, math.sqrt(3) / (1 + math.sqrt(3))),
        ({"source_weights": {"large": 0.5}}, 0.6),
        ({"source_cap": 300}, 0.5),
    ):
        assert close(sum(batch.source == "large" for batch in draw(made_release, 1500, **wanted)), 1500, share), wanted
    assert {batch.source for batch in draw(made_release, 50, source_weights={"large": 0})} == {"small"}


def test_languages_are_drawn_by_weight_and_by_what_survived(made_release: OpenRelease) -> None:
    batches = draw(made_release, 1500, mode="monolingual", language_weights={"de": 3, "th": 0})
    counts = Counter(batch.query_languages[0] for batch in batches)
    assert set(counts) == {"eng_Latn", "deu_Latn", "arb_Arab"} and close(counts["deu_Latn"], 1500, 0.6)
    both = made_release.columns.query_bits & made_release.columns.passage_bits
    survived = np.array([((both >> bit) & 1).sum() for bit in range(4)])
    counts = Counter(batch.query_languages[0] for batch in draw(made_release, 1500, mode="monolingual", language_temperature=1.0))
    assert all(close(counts[code], 1500, share) for code, share in zip(made_release.languages, survived / survived.sum(), strict=True))


def test_pairs_of_languages_can_be_allowed_and_denied(made_release: OpenRelease) -> None:
    def seen(**given: Any) -> set[tuple[str, str]]:
        batches = draw(made_release, 200, mode="cross-lingual", **given)
        return {pair for batch in batches for pair in zip(batch.query_languages, batch.passage_languages, strict=True)}

    assert seen(allowed_pairs=[("en", "de"), ("ar", "th")]) == {("eng_Latn", "deu_Latn"), ("arb_Arab", "tha_Thai")}
    every = {(query, passage) for query in made_release.languages for passage in made_release.languages if query != passage}
    assert seen(denied_pairs=[("en", "de")]) == every - {("eng_Latn", "deu_Latn")}
    assert seen(languages=["en", "ar"]) == {("eng_Latn", "arb_Arab"), ("arb_Arab", "eng_Latn")}


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"start": 0.5}, [0.5, 0.5, 0.5]),
        ({"start": 1.0, "end": 0.0, "schedule": "linear", "steps": 10}, [1.0, 0.5, 0.0]),
        ({"start": 0.0, "end": 1.0, "schedule": "cosine", "steps": 10}, [0.0, 0.5, 1.0]),
        ({"start": 0.2, "end": 1.0}, [0.2, 0.2, 0.2]),
    ],
)
def test_alpha_goes_from_one_value_to_another(given: dict[str, Any], values: list[float]) -> None:
    alpha = Alpha(**given)
    assert [alpha.at(step) for step in (0, 5, 100)] == pytest.approx(values)


def test_a_schedule_counts_the_steps_of_all_epochs(made_release: OpenRelease) -> None:
    steps = len(made_release.loader(batch_size=SIZE))
    batches = draw(made_release, 2 * steps, alpha={"start": 1.0, "end": 0.0, "schedule": "linear", "steps": steps})
    assert batches[0].kind == "monolingual"
    assert {batch.kind for batch in batches[steps:]} == {"cross-lingual"}


def test_a_group_of_languages_has_an_alpha_of_its_own(made_release: OpenRelease) -> None:
    batches = draw(made_release, 400, alpha=0.0, alpha_groups=[{"languages": ["th"], "start": 1.0}])
    monolingual = [batch for batch in batches if batch.kind == "monolingual"]
    assert {batch.query_languages[0] for batch in monolingual} == {"tha_Thai"}
    assert close(len(monolingual), 400, 0.25)


def test_negatives_are_in_the_language_asked_for(made_release: OpenRelease) -> None:
    for where in ("query", "passage"):
        batch = made_release.loader(batch_size=8, mode="cross-lingual", negatives=2, negative_language=where).batch(0, 0)
        languages = batch.query_languages if where == "query" else batch.passage_languages
        for texts, rows, language in zip(batch.negatives, batch.negative_rows, languages, strict=True):
            assert texts == [f"Passage: passages {row} {language}" for row in rows]
        assert any(batch.negatives)


def test_rare_languages_are_found_without_a_batch_too_small(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 6000}, survival=0.2))
    batches = list(release.batches(batch_size=20, languages=["de"], mode="monolingual", steps=5))
    assert all(batch.query_languages == ["deu_Latn"] * 20 and len(set(batch.query_rows)) == 20 for batch in batches)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"languages": ["fr"]}, "languages: fra_Latn is not in this release"),
        ({"language_weights": {"fr": 1}}, "language_weights: fra_Latn is not in this release"),
        ({"language_weights": {"en": 0, "de": 0, "ar": 0, "th": 0}}, "language_weights: no language is left"),
        ({"source_weights": {"other": 1}}, "source_weights: 'other' is no source of this release, which has large, small"),
        ({"source_weights": {"small": 0, "large": 0}}, "this release has no pairs that could be drawn"),
        ({"source_weights": {"small": -1}}, "source_weights: a weight is negative"),
        ({"allowed_pairs": []}, "cross-lingual batches need two"),
        ({"alfa": 1}, "batches: unknown key 'alfa': did you mean 'alpha'"),
        ({"batch_size": 500}, "batch_size: 500 is more than"),
    ],
)
def test_settings_that_cannot_be_met_are_named_before_the_first_batch(
    made_release: OpenRelease, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        made_release.loader(**given)


def test_a_damaged_text_file_is_named_before_the_first_batch(make_release: Callable[..., Path]) -> None:
    folder = make_release(sources={"only": 60}, seed=7)
    path = folder / "passages/tha_Thai/00001.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"passages/tha_Thai/00001\.parquet is damaged"):
        open_release(folder).loader(batch_size=4)
