"""What decoding among candidates changed, as the records of a run's translations say it."""

from __future__ import annotations

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.store import Record


def candidate_facts(plan: Plan) -> dict[str, dict[str, int]]:
    """By language (NLLB code), of those that have candidates: how many pieces they are there and back, and what they changed.

    `checked` sentences were decoded among all pieces as well, and `differing` of them came out otherwise; of `units` of translations,
    there and back, so many were done again `with_all_pieces`. Raises UserError where a translation has not been made.
    """
    return {code: _facts(plan, code) for code in plan.candidates}


def _facts(plan: Plan, code: str) -> dict[str, int]:
    back = [unit for unit in plan.translation_units if unit.language == code and "candidates" in unit.inputs]
    there = [unit.inputs["translated"] for unit in back if "translated" in unit.inputs]
    compared = [found for record in plan.inventory.records([*there, *back]) if (found := _comparison(record))]
    learnt = plan.inventory.record(plan.candidates[code]).facts
    return {
        "pieces_there": learnt["there"],
        "pieces_back": learnt["back"],
        "units": len(there) + len(back),
        "with_all_pieces": sum(bool(found["all_pieces"]) for found in compared),
        "checked": sum(found["checked"] for found in compared),
        "differing": sum(found["differing"] for found in compared),
    }


def _comparison(record: Record) -> dict[str, int] | None:
    """What a record says of its candidates; nothing where all of its sentences were known already."""
    found: dict[str, int] | None = record.facts.get("candidates")
    return found
