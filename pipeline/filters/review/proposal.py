"""Thresholds for a run, proposed from its scores or from what people think of its texts; and what they would keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.filter import Shard, shards
from parallel_qa.pipeline.filters.review.calibrate import Batch, changes, conjoin, kept_share, propose
from parallel_qa.pipeline.filters.review.human import Marks
from parallel_qa.pipeline.settings import FilterException, FilterSettings, Settings, Thresholds, assignments, parse
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.tally import Tally

KINDS: dict[str, Literal["question", "passage"]] = {"queries": "question", "passages": "passage"}

_MOST_ROWS = 200_000
"""Texts to look at; of a larger run every so-manieth shard."""


@dataclass(frozen=True)
class Proposal:
    """Proposed thresholds, and the share of texts (of good ones and of bad ones, where people said so) that they keep."""

    filters: FilterSettings
    rows: int
    kept_before: float
    kept_after: float
    bad_before: float | None = None
    bad_after: float | None = None

    def to_yaml(self) -> str:
        """The proposal as it goes into a profile: what is not the default."""
        content: dict[str, Any] = changes(Thresholds(), self.filters)
        given = [exception.model_dump(exclude_unset=True) for exception in self.filters.exceptions]
        exceptions = [dict(sorted(exception.items(), key=lambda item: not item[0].startswith("for_"))) for exception in given]
        return yaml.safe_dump({"filters": content | ({"exceptions": exceptions} if exceptions else {})}, sort_keys=False)


def propose_filters(
    settings: Settings,
    store: Store,
    keep: float,
    marks: Marks | None = None,
    per_language: bool = False,
    per_kind: bool = False,
) -> Proposal:
    """Thresholds that keep the share `keep` of a filtered run's texts, overall or for each language and kind of text.

    With `marks`, only the marked texts are looked at: `keep` of the good ones are kept, and checks that reject too many of
    them are made milder. Raises UserError where `marks` has no text of the run.
    """
    found = list(_batches(settings, store, marks))
    if not found:
        raise UserError(
            "marks: none of the marked texts is in this run" if marks else "there are no scored texts: run the stage filter first"
        )
    everything = conjoin([batch for _, batch in found])
    plain = FilterSettings.model_validate(settings.filters.model_dump(exclude={"exceptions"}))
    overall = propose(everything, plain, keep)
    filters = FilterSettings.model_validate(overall.model_dump())
    if per_language or per_kind:
        filters = filters.model_copy(update={"exceptions": list(_exceptions(found, filters, keep, per_language, per_kind))})
    return Proposal(
        filters,
        len(everything.scored),
        *(_share(found, choice, good=True) for choice in (settings.filters, filters)),
        *((_share(found, choice, good=False) if marks else None) for choice in (settings.filters, filters)),
    )


def _exceptions(
    found: list[tuple[Shard, Batch]], filters: FilterSettings, keep: float, per_language: bool, per_kind: bool
) -> Iterable[FilterException]:
    groups: dict[tuple[str | None, str | None], list[Batch]] = {}
    for shard, batch in found:
        _, code, table = shard.key
        groups.setdefault((code if per_language else None, KINDS[table] if per_kind else None), []).append(batch)
    for (language, kind), batches in groups.items():
        changed = changes(filters, propose(conjoin(batches), filters, keep))
        if changed:
            where = {"for_language": language, "for_kind": kind}
            yield FilterException.model_validate({name: value for name, value in where.items() if value} | changed)


def _batches(settings: Settings, store: Store, marks: Marks | None) -> Iterable[tuple[Shard, Batch]]:
    every = shards(settings, store)
    rows = sum(shard.scored.result(store).rows("texts") for shard in every)
    step = 1 if marks else 1 + rows // _MOST_ROWS
    for shard in every[::step]:
        batch = Batch(shard.read(store), shard.english(store))
        if marks is None:
            yield shard, batch
            continue
        _, code, table = shard.key
        thought = [marks.get((code, table, text_id)) for text_id in batch.scored["id"].to_pylist()]
        chosen = np.array([mark is not None for mark in thought], dtype=bool)
        if chosen.any():
            good = np.array([mark is True for mark in thought], dtype=bool)
            yield shard, Batch(batch.scored, batch.english, good).take(chosen)


def _share(found: Sequence[tuple[Shard, Batch]], filters: FilterSettings, good: bool) -> float:
    """Of the good or of the bad texts the share that `filters` keep; all texts are good where nobody said otherwise."""
    kept = total = 0.0
    for shard, batch in found:
        _, code, table = shard.key
        truth = np.ones(len(batch.scored), dtype=bool) if batch.good is None else batch.good
        chosen = batch.take(truth if good else ~truth)
        kept += kept_share(chosen, filters.of(code, table)) * len(chosen.scored)
        total += len(chosen.scored)
    return kept / total if total else 1.0


def with_thresholds(settings: Settings, given: Sequence[str]) -> Settings:
    """`settings` with thresholds changed: "min_names=0.5", "min_answers=null". Raises UserError that names what is wrong."""
    content = settings.filters.model_dump(exclude_unset=True) | assignments(given, "min_names=0.5")
    return settings.model_copy(update={"filters": parse(FilterSettings, content, "--set")})


def tallies(settings: Settings, store: Store, choices: Sequence[FilterSettings]) -> dict[tuple[str, str, str], list[Tally]]:
    """What each of `choices` makes of a filtered run, by (source, language, table). Every score is read once."""
    result: dict[tuple[str, str, str], list[Tally]] = {}
    for shard in shards(settings, store):
        _, code, table = shard.key
        scored, english = shard.read(store), shard.english(store)
        counts = result.setdefault(shard.key, [Tally() for _ in choices])
        for place, choice in enumerate(choices):
            counts[place] += Tally.of(policy.reasons(scored, english, choice.of(code, table)))
    return result
