"""How far a run is: of each step, how many of its units the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.work import Unit


@dataclass(frozen=True)
class StepStatus:
    """One step of a stage."""

    stage: str
    name: str
    held: int | None
    """Units that the store holds; None where the step cannot be planned yet."""
    units: int | None
    reason: str = ""
    """Why it cannot be planned yet."""


_STEPS: dict[tuple[str, str], Callable[[Plan], Sequence[Unit]]] = {
    ("prepare", "prepare"): lambda plan: plan.english,
    ("prepare", "import"): lambda plan: plan.imported,
    ("translate", "segment"): lambda plan: plan.segment_units,
    ("translate", "find repeated"): lambda plan: plan.repeated_units,
    ("translate", "translate repeated"): lambda plan: plan.repeated_translations,
    ("translate", "learn candidates"): lambda plan: list(plan.candidates.values()),
    ("translate", "translate"): lambda plan: plan.translation_units,
    ("filter", "filter"): lambda plan: plan.scored,
    ("filter", "compare"): lambda plan: plan.compared,
}


def status(plan: Plan) -> Iterator[StepStatus]:
    """Each step of the stages that make units, in order; those without units are left out. Nothing is done or written.

    Raises UserError where a card cannot be used.
    """
    plan.sources  # noqa: B018 - what is wrong with a card is wrong with the run, not with a step
    for (stage, name), units_of in _STEPS.items():
        yield from step_status(plan, stage, name, units_of)


def step_status(plan: Plan, stage: str, name: str, units_of: Callable[[Plan], Sequence[Unit]]) -> Iterator[StepStatus]:
    """How far one step is; nothing where it has no units. The step cannot be planned where `units_of` raises UserError."""
    try:
        units = units_of(plan)
    except UserError as error:
        yield StepStatus(stage, name, None, None, str(error))
        return
    if units:
        yield StepStatus(stage, name, len(units) - len(plan.inventory.missing(units)), len(units))
