from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.filters.review.drawing import SHARDS, DrawnStratum, allocate, draw, random_numbers
from parallel_qa.pipeline.store import Store
from tests.counting_store import CountingStore
from tests.pipeline.filters.review.scored_run import LANGUAGES, round_trips, write_shard


def scores(stratum: DrawnStratum) -> list[float]:
    return [score for each in stratum.drawn for score in each.sample.scored["chrf"].to_pylist()]


def test_every_language_is_seen_though_languages_are_innermost(store: Store) -> None:
    """Every eighth shard of these is of one language."""
    shards = [
        write_shard(store, language, number, round_trips([float(100 * number + row) for row in range(50)]))
        for number in range(18)
        for language in LANGUAGES
    ]
    counting = CountingStore(store.url)
    drawn = draw(shards, counting, rows=800)
    assert [stratum.key for stratum in drawn] == [("source", language, "queries") for language in LANGUAGES]
    for stratum in drawn:
        assert (stratum.texts, stratum.shards) == (900, 18) and stratum.weight == 900 / len(scores(stratum))
        assert len(stratum.drawn) == SHARDS and 100 <= len(scores(stratum)) < 100 + SHARDS
        assert all(len(each.sample.scored) in (12, 13) for each in stratum.drawn)
    assert len({tuple(scores(stratum)) for stratum in drawn}) == len(LANGUAGES)  # each language by itself
    assert len({int(score) // 100 for stratum in drawn for score in scores(stratum)}) == 18
    read = Counter(path.partition("/")[0] for path in counting.files_read)
    assert read["scored"] == read["compared"] == SHARDS * len(LANGUAGES)


def test_the_same_texts_are_drawn_every_time_and_with_another_seed_others(store: Store) -> None:
    shards = [write_shard(store, "deu_Latn", number, round_trips([float(row) for row in range(100)])) for number in range(4)]
    first, again, other = (scores(draw(shards, store, seed, rows=40)[0]) for seed in (0, 0, 1))
    assert first == again != other
    assert max(first) > 50  # and not the first of each shard


def test_small_sources_are_drawn_whole_and_leave_their_part_to_the_others(store: Store) -> None:
    shards = [
        write_shard(store, "deu_Latn", 0, round_trips([1.0] * 5), source="small"),
        *(write_shard(store, "deu_Latn", number, round_trips([2.0] * 50), source="large") for number in range(10)),
        write_shard(store, "deu_Latn", 0, round_trips([3.0] * 50), source="large", table="passages"),
    ]
    drawn = {stratum.key: stratum for stratum in draw(shards, store, rows=85)}
    assert {key: len(scores(stratum)) for key, stratum in drawn.items()} == {
        ("small", "deu_Latn", "queries"): 5,
        ("large", "deu_Latn", "queries"): 40,
        ("large", "deu_Latn", "passages"): 40,
    }
    assert [stratum.complete for stratum in drawn.values()] == [True, False, False]


def test_a_small_run_is_drawn_whole(store: Store) -> None:
    shards = [write_shard(store, "deu_Latn", number, round_trips([float(10 * number + row) for row in range(10)])) for number in range(20)]
    (stratum,) = draw(shards, store, rows=200)
    assert sorted(scores(stratum)) == [float(score) for score in range(200)]
    assert stratum.complete and stratum.weight == 1.0


def test_texts_that_the_source_does_not_have_are_left_out_and_the_others_stand_for_themselves(store: Store) -> None:
    shards = [write_shard(store, "deu_Latn", 0, round_trips([float(row) for row in range(10)]), missing=range(6))]
    (stratum,) = draw(shards, store)
    assert scores(stratum) == [6.0, 7.0, 8.0, 9.0]
    assert stratum.complete and stratum.drawn[0].sample.row_weights.tolist() == [1.0] * 4


def test_a_shard_without_texts_is_no_obstacle(store: Store) -> None:
    assert draw([write_shard(store, "deu_Latn", 0, round_trips([]))], store) == []


def test_no_text_is_more_likely_to_be_drawn_than_another(tmp_path: Path) -> None:
    """Of 24 shards, the last of which is smaller, over 150 seeds: the mean score is that of all texts."""
    store = Store(str(tmp_path))
    chance = np.random.default_rng(3)
    every = [chance.normal(40 + 2 * number, 5, 20 if number < 23 else 7).tolist() for number in range(24)]
    shards = [write_shard(store, "deu_Latn", number, round_trips(values)) for number, values in enumerate(every)]
    means = [float(np.mean(scores(draw(shards, store, seed, rows=48)[0]))) for seed in range(150)]
    truth = float(np.mean([score for values in every for score in values]))
    assert abs(np.mean(means) - truth) < 3 * np.std(means) / np.sqrt(len(means))
    assert np.std(means) > 1


def test_numbers_are_those_of_the_id_in_a_language() -> None:
    both = random_numbers(["a", "b"], "deu_Latn", 0)
    assert random_numbers(["b", "a"], "deu_Latn", 0).tolist() == both[::-1].tolist()
    assert len({*both.tolist(), *random_numbers(["a"], "fra_Latn", 0).tolist(), *random_numbers(["a"], "deu_Latn", 1).tolist()}) == 4


@given(st.integers(0, 500), st.lists(st.tuples(st.integers(0, 200), st.floats(0.1, 50)), max_size=8))
def test_a_budget_is_used_up_and_nobody_gets_more_than_there_is(budget: int, wanting: list[tuple[int, float]]) -> None:
    sizes, parts = [size for size, _ in wanting], [part for _, part in wanting]
    given_out = allocate(budget, sizes, parts)
    assert all(min(size, 1) <= count <= size for size, count in zip(sizes, given_out, strict=True))
    assert min(budget, sum(sizes)) <= sum(given_out) <= max(budget, 0) + len(sizes)
