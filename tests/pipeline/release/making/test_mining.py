"""Hard negatives, mined in units from sources in a store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making import mining
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import ReleaseSettings, Settings
from parallel_qa.pipeline.sources.english_tables import text_id
from parallel_qa.pipeline.store import Record, Store, fingerprint
from parallel_qa.pipeline.work import Unit
from tests.conftest import Run

ALDO = "The river Aldo is 740 kilometres long and ends in Velu."
ALDO_AGAIN = "The river Aldo is 740 kilometres long, and it ends in Velu!"
HINTU = "The river Hintu is 122 kilometres long and ends in Orso."
HOTEL = "The hotel of Velu has ninety rooms."
PASSAGES = [ALDO, ALDO_AGAIN, HINTU, HOTEL, "Nothing of the kind."]
HOW_LONG = "How long is the river Aldo?"
ROOMS = "How many rooms has the hotel?"


def source(
    store: Store, name: str, queries: Sequence[str], passages: Sequence[str], pairs: Sequence[tuple[int, int]], shard: int = 100
) -> Unit:
    """A source's English, as the first stage leaves it."""
    texts = {"queries": {"text": queries}, "passages": {"title": [""] * len(passages), "text": passages}}
    unit = Unit(path=f"english/{name}", fingerprint=fingerprint(texts=texts, pairs=pairs, shard=shard), source=name)
    links = {"query_row": [query for query, _ in pairs], "passage_row": [passage for _, passage in pairs]}
    links |= {"negative_rows": [[]] * len(pairs), **{column: [""] * len(pairs) for column in ("source", "source_id", "answer")}}
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for table, columns in texts.items():
            rows = pa.table({"id": [text_id(text) for text in columns["text"]], **columns}, schema=schema.TEXTS[table])
            for number, start in enumerate(range(0, max(len(rows), 1), shard)):
                writer.write_table(f"{table}/{number:05d}.parquet", rows.slice(start, shard))
        writer.write_table("pairs/00000.parquet", pa.table(links, schema=schema.PAIRS))
    return unit


def settings(count: int) -> Settings:
    return Settings(name="test", sources=["x"], languages=["de"], release=ReleaseSettings(mined_negatives=count))


def record_of(store: Store, unit: Unit) -> Record:
    return unit.result(store)


def planned(store: Store, english: Sequence[Unit], count: int) -> list[Unit]:
    return mining.units(english, lambda unit: record_of(store, unit), count)


def mined(store: Store, english: Sequence[Unit], count: int) -> dict[str, list[list[str]]]:
    """By unit, question by question, the passages that were found."""
    texts = {text_id(text): text for text in PASSAGES}
    found = {}
    for unit in planned(store, english, count):
        mining.do(settings(count), store, unit, LogProgress())
        rows = store.read_table(unit.result(store), mining.DATA)
        assert rows.schema == mining.MINED
        found[unit.path] = [[texts[passage] for passage in passages] for passages in rows["negatives"].to_pylist()]
    return found


def test_a_negative_is_no_positive_and_not_nearly_one(store: Store) -> None:
    english = source(store, "rivers", [HOW_LONG, ROOMS], PASSAGES, [(0, 0), (1, 3)])
    # The second passage is the first in other words; the third has words of the question, as those about the hotel have none.
    assert mined(store, [english], 3) == {"mined/rivers/00000": [[HINTU], []]}


def test_as_many_as_asked_for_the_hardest_first(store: Store) -> None:
    english = source(store, "rivers", [ROOMS + " and how long is the river"], PASSAGES, [(0, 4)])
    found = {count: mined(store, [english], count)["mined/rivers/00000"][0] for count in (1, 2, 9)}
    assert found[9][0] == HOTEL and set(found[9][1:]) == {ALDO, ALDO_AGAIN, HINTU}
    assert [found[1], found[2]] == [found[9][:1], found[9][:2]]


def test_every_positive_of_a_question_is_left_out_whichever_source_says_so(store: Store) -> None:
    question = "river kilometres long"
    alone = source(store, "alone", [question], [ALDO, HINTU, HOTEL], [(0, 0)])
    assert mined(store, [alone], 4) == {"mined/alone/00000": [[HINTU]]}
    other = source(store, "other", ["another one", question], [HOTEL, HINTU], [(0, 0), (1, 1)])
    assert mined(store, [alone, other], 4)["mined/alone/00000"] == [[]]


def test_passages_of_all_sources_are_searched_and_a_shard_is_a_unit(store: Store) -> None:
    rivers = source(store, "rivers", [HOW_LONG, ROOMS, "Orso"], [ALDO], [(0, 0)], shard=2)
    hotels = source(store, "hotels", [ROOMS], [HOTEL, HINTU, ALDO], [(0, 0)])
    assert mined(store, [rivers, hotels], 2) == {
        "mined/rivers/00000": [[HINTU], []],
        "mined/rivers/00001": [[HINTU]],
        "mined/hotels/00000": [[]],
    }


def test_the_order_of_sources_changes_nothing(store: Store) -> None:
    rivers = source(store, "rivers", [HOW_LONG, "the river"], [ALDO, HINTU], [(0, 0)])
    more = source(store, "more", ["long"], [ALDO_AGAIN, HOTEL], [])
    forwards, backwards = (planned(store, english, 2) for english in ([rivers, more], [more, rivers]))
    assert {(unit.path, unit.fingerprint) for unit in forwards} == {(unit.path, unit.fingerprint) for unit in backwards}
    first, second = mined(store, [rivers, more], 4), mined(store, [more, rivers], 4)
    assert first == second and first["mined/rivers/00000"][1] != []


@pytest.mark.parametrize(
    ("passages", "found"), [([], []), (["of the"], []), ([HINTU], [HINTU])], ids=["no passage", "no word", "a passage"]
)
def test_where_there_is_nothing_to_search_nothing_is_found(store: Store, passages: list[str], found: list[str]) -> None:
    english = source(store, "rivers", ["How long is the river?"], passages, [])
    assert mined(store, [english], 2) == {"mined/rivers/00000": [found]}
    assert mined(store, [source(store, "silent", [], passages, [])], 2) == {"mined/silent/00000": []}


def test_what_a_unit_depends_on_is_in_its_fingerprint(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprints(english: Sequence[Unit], count: int = 2) -> list[str]:
        return [unit.fingerprint for unit in planned(store, english, count)]

    rivers = source(store, "rivers", [HOW_LONG, ROOMS], PASSAGES, [(0, 0), (1, 3)])
    before = fingerprints([rivers])
    changed = [
        fingerprints([rivers], 3),
        fingerprints([source(store, "rivers", [HOW_LONG], PASSAGES, [(0, 0), (1, 3)])]),
        fingerprints([source(store, "rivers", [HOW_LONG, ROOMS], PASSAGES[:-1], [(0, 0), (1, 3)])]),
        fingerprints([source(store, "rivers", [HOW_LONG, ROOMS], PASSAGES, [(0, 0), (1, 2)])]),
    ]
    more = source(store, "more", [ROOMS], [], [])
    changed.append(fingerprints([rivers, more])[:1])
    monkeypatch.setattr(mining, "VERSION", mining.VERSION + 1)
    changed.append(fingerprints([rivers]))
    assert len({*before, *(each for [each] in changed)}) == 1 + len(changed)
    assert fingerprints([rivers], 0) == []


def test_a_plan_reads_records_only(store: Store) -> None:
    english = source(store, "rivers", [HOW_LONG, ROOMS], PASSAGES, [(0, 0), (1, 3)])
    record = english.result(store)
    asked: list[Unit] = []

    def known(unit: Unit) -> Record:
        asked.append(unit)
        return record

    store.remove_folder(english.path)
    [unit] = mining.units([english], known, 1)
    assert asked == [english]
    assert (unit.path, unit.source, unit.table, unit.shard, dict(unit.inputs)) == (
        "mined/rivers/00000",
        "rivers",
        "queries",
        0,
        {"english/rivers": english},
    )


def test_threads_of_a_process_share_one_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    english = source(store, "shared", [HOW_LONG, ROOMS, "Orso", "Velu"], PASSAGES, [(0, 0)], shard=1)
    made: list[int] = []
    read = mining._Corpus.read
    monkeypatch.setattr(mining._Corpus, "read", lambda *arguments: (made.append(1), read(*arguments))[1])
    units = planned(store, [english], 2)
    threads = [threading.Thread(target=mining.do, args=(settings(2), store, unit, LogProgress())) for unit in units]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert [unit.record(store) is not None for unit in units] == [True] * 4


def test_without_the_library_the_plan_says_what_to_install(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*packages: str) -> dict[str, str]:
        raise PackageNotFoundError("bm25s")

    english = source(store, "rivers", [HOW_LONG], PASSAGES, [(0, 0)])
    monkeypatch.setattr(mining, "versions", absent)
    with pytest.raises(UserError, match=r"release\.mined_negatives: bm25s is not installed: pip install 'parallel-qa\[mine\]'"):
        planned(store, [english], 1)


@pytest.mark.parametrize("count", [1, 3])
def test_a_release_has_them_in_every_language(sample_run: Run, count: int) -> None:
    release = sample_run.settings.release.model_copy(update={"mined_negatives": count})
    released = publish(sample_run.settings.model_copy(update={"release": release}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    folder = Path(sample_run.store.root) / released.path
    pairs = pq.read_table(folder / "pairs").to_pylist()
    passages = pq.read_table(folder / "passages/eng_Latn")["text"].to_pylist()
    assert all(len(pair["negative_rows"]) <= count for pair in pairs)
    assert sum(len(pair["negative_rows"]) for pair in pairs) > 0.8 * count * len(pairs)
    positives: dict[int, set[int]] = {}
    for pair in pairs:
        positives.setdefault(pair["query_row"], set()).add(pair["passage_row"])
    assert all(not positives[pair["query_row"]] & set(pair["negative_rows"]) for pair in pairs)
    assert all(0 <= row < len(passages) for pair in pairs for row in pair["negative_rows"])
