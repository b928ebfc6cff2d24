"""Units of work: what a stage plans, a flow spreads out, and a store remembers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Record, Store


@dataclass(frozen=True)
class Unit:
    """One piece of work whose result is one unit in the store.

    It names all that it needs, so that it can be done anywhere: by a task, on another machine.
    """

    path: str
    fingerprint: str
    source: str
    language: str = ""  # NLLB code; empty for English
    table: str = ""
    shard: int = 0
    inputs: Mapping[str, Unit] = field(default_factory=dict)

    def record(self, store: Store) -> Record | None:
        """The unit's record, or None where it has not been made."""
        return store.record(self.path, self.fingerprint)

    def done(self, store: Store) -> bool:
        """Whether the unit and everything that it was made from are in the store."""
        return self.record(store) is not None and all(unit.done(store) for unit in self.inputs.values())

    def result(self, store: Store) -> Record:
        """The unit's record. Raises UserError where the stage that makes it has not been run."""
        record = self.record(store)
        if record is None:
            raise UserError(
                f"{store.local_path(self.path)} has not been made with these settings: run the earlier stages first, or 'parallel-qa run'"
            )
        return record


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


def run_units(units: Iterable[Unit], do: Do, settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Do each unit that the store does not hold yet, one after the other.

    What a user has to mend stops its own unit only: the first such error is raised once the others are done.
    """
    progress = progress or LogProgress()
    done = skipped = 0
    errors: list[UserError] = []
    for unit in units:
        if unit.done(store):
            skipped += 1
            continue
        try:
            do(settings, store, unit, progress)
            done += 1
        except UserError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return Outcome(done, skipped)
