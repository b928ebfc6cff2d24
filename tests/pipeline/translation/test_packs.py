from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.store import FileRef, Record, StoredFile
from parallel_qa.pipeline.translation.packs import checksum_of, packs_of, shard_name
from parallel_qa.pipeline.work import Unit

SHARDS = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=3), max_size=8)


def segmented(shards: list[list[int]]) -> dict[str, tuple[Unit, Record]]:
    """Shards with the numbers of sentences of their files, by path."""
    made = {}
    for number, rows in enumerate(shards):
        unit = Unit(f"segments/eng_Latn/a/queries/{number:05d}", "f", "a", "eng_Latn", "queries", number)
        files = {f"sentences/{part:05d}.parquet": StoredFile(f"{number}-{part}", 1, count) for part, count in enumerate(rows)}
        made[unit.path] = (unit, Record(unit.path, "f", files, {}))
    return made


@given(SHARDS, st.integers(1, 20))
def test_every_file_with_sentences_is_in_one_pack_in_order_and_no_pack_is_too_large(shards: list[list[int]], most: int) -> None:
    made = segmented(shards)
    packs = packs_of([unit for unit, _ in made.values()], lambda unit: made[unit.path][1], most)
    expected = [
        (f"queries/{number:05d}/{part:05d}", f"{number}-{part}", count)
        for number, rows in enumerate(shards)
        for part, count in enumerate(rows)
        if count
    ]
    assert [(name, file.sha256, file.rows) for pack in packs for name, file in pack.files.items()] == expected
    assert [(pack.source, pack.language, pack.number) for pack in packs] == [("a", "eng_Latn", number) for number in range(len(packs))]
    sizes = [[file.rows for file in pack.files.values()] for pack in packs]
    assert all(sum(size) <= most or len(size) == 1 for size in sizes)
    # none could have taken the first file of the next one
    assert all(sum(size) + following[0] > most for size, following in itertools.pairwise(sizes))


def test_sentences_that_several_packs_have_are_a_shard_of_their_own() -> None:
    assert shard_name(Unit("repeated/eng_Latn", "f")) == "repeated"
    assert shard_name(Unit("segments/eng_Latn/a/passages/00012", "f", table="passages", shard=12)) == "passages/00012"


def test_the_checksum_of_a_pack_is_that_of_its_files() -> None:
    first, second = FileRef("a/b", "1", 3), FileRef("a/c", "2", 4)
    assert checksum_of([first, second]) == checksum_of([FileRef("x/y", "1", 3), second])
    assert len({checksum_of([first, second]), checksum_of([second, first]), checksum_of([first])}) == 3
