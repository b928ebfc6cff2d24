"""Units of work: what a stage plans, a flow spreads out, and a store remembers."""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import FileRef, Record, Store
from parallel_qa.pipeline.tables import give_back_memory

_READERS = 16
"""Records read at a time."""


@dataclass(frozen=True)
class Unit:
    """One piece of work whose result is one unit in the store.

    It names all that it needs, so that it can be done anywhere: by a task, on another machine.
    """

    path: str
    fingerprint: str
    source: str = ""
    language: str = ""  # NLLB code; empty for English
    table: str = ""
    shard: int = 0
    inputs: Mapping[str, Unit] = field(default_factory=dict)
    """Units that have to be done before it."""
    files: Mapping[str, FileRef] = field(default_factory=dict)
    """Files of units that were done when it was planned."""
    helpers: Mapping[str, Unit] = field(default_factory=dict)
    """Units that may save work, but decide nothing of what it makes."""

    def record(self, store: Store) -> Record | None:
        """The unit's record, or None where it has not been made."""
        return store.record(self.path, self.fingerprint)

    def result(self, store: Store) -> Record:
        """The unit's record. Raises UserError where the stage that makes it has not been run."""
        record = self.record(store)
        if record is None:
            raise not_made(store, self)
        return record


def not_made(store: Store, unit: Unit) -> UserError:
    """The error of a unit that is needed and not there."""
    return UserError(
        f"{store.local_path(unit.path)} has not been made with these settings: run the earlier stages first, or 'parallel-qa run'"
    )


class Inventory:
    """Which units a store holds. Every folder is listed once, and every record read at most once.

    It is right for one run: what the run itself makes is added, what others make meanwhile is seen after `refresh`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.RLock()
        self._finished: dict[str, set[tuple[str, str]]] = {}
        self._complete: set[tuple[str, str]] = set()
        self._records: dict[tuple[str, str], Record] = {}

    def refresh(self) -> None:
        """List the folders again when they are asked for next."""
        with self._lock:
            self._finished.clear()
            self._complete.clear()

    def finished(self, folder: str) -> set[tuple[str, str]]:
        """Path and fingerprint of all finished units in a folder of the first two levels: "translated/deu_Latn"."""
        with self._lock:
            if folder not in self._finished:
                self._finished[folder] = set(self.store.finished_units(folder))
            return self._finished[folder]

    def holds(self, unit: Unit) -> bool:
        """Whether the unit and everything that it is made from are in the store."""
        key = (unit.path, unit.fingerprint)
        with self._lock:
            if key not in self._complete and key in self.finished(_folder(unit.path)) and all(map(self.holds, unit.inputs.values())):
                self._complete.add(key)
            return key in self._complete

    def missing(self, units: Iterable[Unit]) -> list[Unit]:
        """Those of `units` that have yet to be made."""
        return [unit for unit in units if not self.holds(unit)]

    def add(self, unit: Unit) -> None:
        """Note that this run has made a unit, and with it what it is made from."""
        with self._lock:
            for made in (unit, *unit.inputs.values()):
                self.finished(_folder(made.path)).add((made.path, made.fingerprint))

    def require(self, units: Iterable[Unit]) -> None:
        """Raises UserError where one of `units` has not been made."""
        for unit in units:
            if not self.holds(unit):
                raise not_made(self.store, unit)

    def record(self, unit: Unit) -> Record:
        """The unit's record. Raises UserError where it has not been made."""
        return self.records([unit])[0]

    def records(self, units: Sequence[Unit]) -> list[Record]:
        """The record of each unit. Raises UserError where one has not been made."""
        self.require(units)
        unread = {(unit.path, unit.fingerprint): unit for unit in units if (unit.path, unit.fingerprint) not in self._records}
        with ThreadPoolExecutor(min(_READERS, len(unread) or 1)) as pool:
            for key, record in zip(unread, pool.map(lambda unit: unit.result(self.store), unread.values()), strict=True):
                self._records[key] = record
        return [self._records[unit.path, unit.fingerprint] for unit in units]


def _folder(path: str) -> str:
    """The part of a unit's path that is listed at once."""
    return "/".join(path.split("/")[:2])


@dataclass(frozen=True)
class Outcome:
    """How much a stage had to do."""

    done: int = 0
    skipped: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.done + other.done, self.skipped + other.skipped)


def versions(*packages: str) -> dict[str, str]:
    """The installed version of each package, for the fingerprint of work that its behaviour decides."""
    return {package: importlib.metadata.version(package) for package in packages}


Do = Callable[[Settings, Store, Unit, Progress], None]


@dataclass(frozen=True)
class Step:
    """Units of one kind, which can be done in any order once those of the steps before are."""

    name: str
    units: Sequence[Unit]
    do: Do
    prepares: bool = False
    """Whether later steps need all of its units, so that of several workers none can go on before all are done."""
    keeps_python_busy: bool = False
    """Whether it is worth processes, and threads would wait for each other."""


Run = Callable[[Step, Sequence[Unit]], None]
"""Does units of a step that are missing, and raises the first error once the others have ended."""


def run_step(step: Step, part: tuple[int, int], inventory: Inventory, run: Run) -> Outcome:
    """Do what the store does not hold yet of a step, or of a worker's part of it: (2, 3) is the second of three.

    Of a step that prepares others, a worker does its own part first and then what is still missing.
    """
    number, parts = part
    own = [unit for unit in step.units[number - 1 :: parts] if not inventory.holds(unit)]
    done = len(own)
    run(step, own)
    if step.prepares and parts > 1:
        inventory.refresh()
        left = inventory.missing(step.units)
        done += len(left)
        run(step, left)
    give_back_memory()
    considered = len(step.units) if step.prepares else len(step.units[number - 1 :: parts])
    return Outcome(done, considered - done)


def run_here(settings: Settings, inventory: Inventory, progress: Progress | None = None) -> Run:
    """Does units one after the other in this thread.

    What a user has to mend stops its own unit only: the first such error is raised once the others are done.
    """
    shown = progress or LogProgress()

    def run(step: Step, units: Sequence[Unit]) -> None:
        errors: list[UserError] = []
        for unit in units:
            try:
                step.do(settings, inventory.store, unit, shown)
                inventory.add(unit)
            except UserError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    return run
