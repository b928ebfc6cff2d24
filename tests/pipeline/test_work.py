from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Inventory, Outcome, Step, Unit, run_here, run_step
from tests.counting_store import CountingStore
from tests.project import Project

FIRST, SECOND = (Unit(f"translated/deu_Latn/a/{number:05d}", f"f{number}") for number in range(2))
ELSEWHERE = Unit("english/a", "f9")
SCORED = Unit("scored/deu_Latn/a/queries/00000", "f3", inputs={"first": FIRST, "second": SECOND})


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(str(tmp_path / "store"))


@pytest.fixture
def settings(project: Project) -> Settings:
    return project.settings()


def make(store: Store, *units: Unit) -> None:
    for unit in units:
        with store.write_unit(unit.path, unit.fingerprint) as writer:
            writer.write_table("x/00000.parquet", pa.table({"text": [unit.path]}))


def test_every_folder_is_listed_once_and_no_record_is_read_to_know_what_is_there(store: CountingStore) -> None:
    make(store, FIRST, ELSEWHERE)
    inventory = Inventory(store)
    for _ in range(3):
        assert inventory.missing([FIRST, SECOND, ELSEWHERE, SCORED]) == [SECOND, SCORED]
    assert store.listed == {"translated/deu_Latn": 1, "english/a": 1, "scored/deu_Latn": 1}
    assert store.records_read == {}


def test_every_record_is_read_at_most_once(store: CountingStore) -> None:
    make(store, FIRST, SECOND)
    inventory = Inventory(store)
    for _ in range(3):
        assert [record.path for record in inventory.records([SECOND, FIRST, SECOND])] == [SECOND.path, FIRST.path, SECOND.path]
        assert inventory.record(FIRST).fingerprint == "f0"
    assert store.records_read == {f"{unit.path}/{unit.fingerprint}/record.json": 1 for unit in (FIRST, SECOND)}


def test_a_unit_whose_input_was_deleted_is_not_held(store: CountingStore) -> None:
    make(store, FIRST, SECOND, SCORED)
    assert Inventory(store).holds(SCORED)
    store.remove_folder(f"{SECOND.path}/{SECOND.fingerprint}")
    inventory = Inventory(store)
    assert [inventory.holds(unit) for unit in (FIRST, SECOND, SCORED)] == [True, False, False]


def test_an_older_fingerprint_of_a_unit_is_another_unit(store: CountingStore) -> None:
    make(store, FIRST)
    assert not Inventory(store).holds(Unit(FIRST.path, "f00"))


def test_what_this_run_makes_is_added_and_what_others_make_is_seen_after_a_refresh(store: CountingStore) -> None:
    inventory = Inventory(store)
    assert inventory.missing([FIRST, SECOND]) == [FIRST, SECOND]
    make(store, FIRST, SECOND)
    inventory.add(FIRST)
    assert inventory.missing([FIRST, SECOND]) == [SECOND]
    inventory.refresh()
    assert inventory.missing([FIRST, SECOND]) == []
    assert store.listed == {"translated/deu_Latn": 2}


def test_a_unit_that_was_made_with_its_inputs_adds_them_too(store: CountingStore) -> None:
    inventory = Inventory(store)
    assert not inventory.holds(FIRST)
    make(store, FIRST, SECOND, SCORED)
    inventory.add(SCORED)
    assert inventory.missing([FIRST, SECOND, SCORED]) == []


def test_a_unit_that_is_needed_and_not_there_is_named(store: CountingStore) -> None:
    make(store, FIRST)
    inventory = Inventory(store)
    inventory.require([FIRST])
    message = r"translated/deu_Latn/a/00001 has not been made with these settings: run the earlier stages first, or 'parallel-qa run'"
    for needed in (lambda: inventory.require([FIRST, SECOND]), lambda: inventory.records([FIRST, SECOND]), lambda: SECOND.result(store)):
        with pytest.raises(UserError, match=message):
            needed()
    assert SECOND.record(store) is None


def numbered(count: int, prepares: bool = False, broken: int | None = None) -> Step:
    """A step of so many units; that of the number `broken` cannot be done."""

    def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
        if unit.shard == broken or (broken == 1 and unit.shard == 3):
            raise UserError(f"{unit.shard} cannot be done")
        make(store, unit)

    return Step("step", [Unit(f"english/{shard}", "f", shard=shard) for shard in range(count)], do, prepares)


def made(store: Store) -> list[str]:
    return [path for path, _ in store.finished_units("english")]


def test_a_worker_does_its_part(store: CountingStore, settings: Settings) -> None:
    step = numbered(5)
    for part, expected in (((1, 2), ["0", "2", "4"]), ((2, 2), ["0", "1", "2", "3", "4"])):
        inventory = Inventory(store)
        mine = len(step.units[part[0] - 1 :: 2])
        assert run_step(step, part, inventory, run_here(settings, inventory)) == Outcome(done=mine)
        assert made(store) == [f"english/{shard}" for shard in expected]
    inventory = Inventory(store)
    assert run_step(step, (1, 1), inventory, run_here(settings, inventory)) == Outcome(skipped=5)


def test_what_later_steps_need_a_worker_does_for_others_too_but_not_what_they_have_made_meanwhile(
    store: CountingStore, settings: Settings
) -> None:
    step = numbered(4, prepares=True)
    inventory = Inventory(store)
    assert inventory.missing(step.units) == list(step.units)
    make(store, step.units[1])  # by the other worker, after this one has looked
    assert run_step(step, (1, 2), inventory, run_here(settings, inventory)) == Outcome(done=3, skipped=1)
    assert made(store) == [f"english/{shard}" for shard in range(4)]


def test_what_a_user_has_to_mend_stops_its_own_unit_only(store: CountingStore, settings: Settings) -> None:
    step = numbered(5, broken=1)
    inventory = Inventory(store)
    with pytest.raises(UserError, match="1 cannot be done"):
        run_step(step, (1, 1), inventory, run_here(settings, inventory))
    assert made(store) == ["english/0", "english/2", "english/4"]
    assert [unit.shard for unit in inventory.missing(step.units)] == [1, 3]


def test_outcomes_are_added_up() -> None:
    assert Outcome(1, 2) + Outcome(3, 4) == Outcome(4, 6)
