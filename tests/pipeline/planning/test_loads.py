from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.planning import loads
from parallel_qa.pipeline.planning.amounts import Texts
from parallel_qa.pipeline.planning.loads import Sentences
from parallel_qa.pipeline.store import Record, StoredFile
from parallel_qa.pipeline.translation.packs import packs_of
from parallel_qa.pipeline.work import Unit


def shard(sentences: int, number: int = 0) -> tuple[Unit, Record, Texts]:
    """A shard with so many sentences, as the store has it in files of 20, and as it is computed."""
    sizes = [min(20, sentences - start) for start in range(0, max(sentences, 1), 20)]
    files = {f"sentences/{part:05d}.parquet": StoredFile("", 0, rows, "") for part, rows in enumerate(sizes)}
    unit = Unit(f"segments/eng_Latn/s/passages/{number:05d}", "f", "s", "eng_Latn", "passages", number)
    return unit, Record(unit.path, "f", files, {}), Texts("passages", 10, sentences, 100.0 * sentences)


@given(st.lists(st.integers(0, 70), min_size=1, max_size=12))
def test_packs_are_computed_as_they_are_made(sizes: list[int]) -> None:
    units, records, texts = zip(*(shard(sentences, number) for number, sentences in enumerate(sizes)), strict=True)
    by_path = {unit.path: record for unit, record in zip(units, records, strict=True)}
    made = packs_of(units, lambda unit: by_path[unit.path], 20)
    computed = loads.packs(texts, 20)
    assert [(pack.rows, pack.files) for pack in computed] == [
        (sum(file.rows for file in pack.files.values()), len(pack.files)) for pack in made
    ]
    assert sum(pack.characters for pack in computed) == pytest.approx(100 * sum(sizes))


def test_a_script_that_was_not_measured_is_taken_for_the_largest() -> None:
    texts = Texts("queries", 1_000, 1_000, 60_000.0)
    georgian, thai, german = (loads.scored(texts, code, 1.0).bytes for code in ("kat_Geor", "tha_Thai", "deu_Latn"))
    assert georgian == thai > german


def test_sentences_that_are_elsewhere_are_not_written_again() -> None:
    pack = Sentences(100, 4_200.0, 2)
    there, back = loads.translated(pack, "deu_Latn", 0.9), loads.back_translated(pack, 0.5, 0.9)
    assert (there.tokens, back.tokens) == (900, 450)
    assert (there.units, back.units) == (0, 1)
    assert there.files == back.files == 3
