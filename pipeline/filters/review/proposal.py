"""Thresholds for a run, proposed from its scores or from what people think of its texts; and what they would keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.review.calibrate import changed_settings, kept_share, propose_thresholds
from parallel_qa.pipeline.filters.review.samples import ScoredSample, concatenate, read_sample
from parallel_qa.pipeline.filters.review.verdicts import Verdicts
from parallel_qa.pipeline.parsing import parse
from parallel_qa.pipeline.settings import FilterException, FilterSettings, Settings, Thresholds, assignments
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.tally import Tally

KINDS: dict[str, Literal["question", "passage"]] = {"queries": "question", "passages": "passage"}

ShardSamples = Sequence[tuple[ScoredShard, ScoredSample]]
Group = tuple[str | None, Literal["question", "passage"] | None]
"""Language and kind of text; None where thresholds are the same for all."""

_MOST_ROWS = 200_000
"""Texts to look at; of a larger run every n-th shard."""


@dataclass(frozen=True)
class Proposal:
    """Proposed thresholds, and the share of texts (of good ones and of bad ones, where there are verdicts) that they keep."""

    filters: FilterSettings
    rows: int
    kept_before: float
    kept_after: float
    bad_before: float | None = None
    bad_after: float | None = None

    def to_yaml(self) -> str:
        """The proposal as it goes into a profile: what is not the default."""
        content: dict[str, Any] = changed_settings(Thresholds(), self.filters)
        given = [exception.model_dump(exclude_unset=True) for exception in self.filters.exceptions]
        exceptions = [dict(sorted(exception.items(), key=lambda item: not item[0].startswith("for_"))) for exception in given]
        return yaml.safe_dump({"filters": content | ({"exceptions": exceptions} if exceptions else {})}, sort_keys=False)


def propose_filters(
    filters: FilterSettings,
    shards: Sequence[ScoredShard],
    store: Store,
    keep: float,
    verdicts: Verdicts | None = None,
    per_language: bool = False,
    per_kind: bool = False,
) -> Proposal:
    """Thresholds in place of `filters` that keep the share `keep` of a run's texts, overall or for each language and kind of text.

    With `verdicts`, only the texts that have one are looked at: `keep` of the good ones are kept, and checks that reject too
    many of them are made milder. Raises UserError where no text of the run has one.
    """
    samples = list(_plain_samples(shards, store) if verdicts is None else _judged_samples(shards, store, verdicts))
    if not samples:
        no_texts = "there are no scored texts: run the stage filter first"
        raise UserError(no_texts if verdicts is None else "verdicts: no text of this run has one")
    everything = concatenate([sample for _, sample in samples])
    without_exceptions = FilterSettings.model_validate(filters.model_dump(exclude={"exceptions"}))
    proposed = FilterSettings.model_validate(propose_thresholds(everything, without_exceptions, keep).model_dump())
    if per_language or per_kind:
        groups = _group_samples(samples, per_language, per_kind)
        proposed = proposed.model_copy(update={"exceptions": list(_exceptions(groups, proposed, keep))})
    return Proposal(
        proposed,
        len(everything.scored),
        *(_kept_share_of(samples, choice, good=True) for choice in (filters, proposed)),
        *((None if verdicts is None else _kept_share_of(samples, choice, good=False)) for choice in (filters, proposed)),
    )


def _plain_samples(shards: Sequence[ScoredShard], store: Store) -> Iterator[tuple[ScoredShard, ScoredSample]]:
    """All texts of a run; of a large run those of every n-th shard."""
    step = 1 + sum(shard.rows for shard in shards) // _MOST_ROWS
    return ((shard, read_sample(shard, store)) for shard in shards[::step])


def _judged_samples(shards: Sequence[ScoredShard], store: Store, verdicts: Verdicts) -> Iterator[tuple[ScoredShard, ScoredSample]]:
    """The texts of a run that have a verdict."""
    for shard in shards:
        sample = read_sample(shard, store)
        of_rows = [verdicts.get((shard.language, shard.table, text_id)) for text_id in sample.scored["id"].to_pylist()]
        judged = np.array([verdict is not None for verdict in of_rows], dtype=bool)
        if judged.any():
            good = np.array([verdict is True for verdict in of_rows], dtype=bool)
            yield shard, ScoredSample(sample.scored, sample.english, good).take(judged)


def _group_samples(samples: ShardSamples, per_language: bool, per_kind: bool) -> dict[Group, list[ScoredSample]]:
    groups: dict[Group, list[ScoredSample]] = {}
    for shard, sample in samples:
        group = (shard.language if per_language else None, KINDS[shard.table] if per_kind else None)
        groups.setdefault(group, []).append(sample)
    return groups


def _exceptions(groups: Mapping[Group, list[ScoredSample]], filters: FilterSettings, keep: float) -> Iterator[FilterException]:
    """For each group the thresholds in which its proposal differs from `filters`, where it does."""
    for (language, kind), samples in groups.items():
        changed = changed_settings(filters, propose_thresholds(concatenate(samples), filters, keep))
        if changed:
            where = {"for_language": language, "for_kind": kind}
            yield FilterException.model_validate({name: value for name, value in where.items() if value} | changed)


def _kept_share_of(samples: ShardSamples, filters: FilterSettings, good: bool) -> float:
    """Of the good or of the bad texts the share that `filters` keep; all texts are good where nobody said otherwise."""
    kept = total = 0.0
    for shard, sample in samples:
        chosen = sample.take(sample.is_good if good else ~sample.is_good)
        kept += kept_share(chosen, filters.of(shard.language, shard.table)) * len(chosen.scored)
        total += len(chosen.scored)
    return kept / total if total else 1.0


def with_thresholds(settings: Settings, given: Sequence[str]) -> Settings:
    """`settings` with thresholds changed: "min_names=0.5", "min_answers=null". Raises UserError that names what is wrong."""
    content = settings.filters.model_dump(exclude_unset=True) | assignments(given, "min_names=0.5")
    return settings.model_copy(update={"filters": parse(FilterSettings, content, "--set")})


def tallies(shards: Sequence[ScoredShard], store: Store, choices: Sequence[FilterSettings]) -> dict[tuple[str, str, str], list[Tally]]:
    """What each of `choices` makes of a filtered run, by (source, language, table). Every score is read once."""
    result: dict[tuple[str, str, str], list[Tally]] = {}
    for shard in shards:
        sample = read_sample(shard, store)
        counts = result.setdefault(shard.key, [Tally() for _ in choices])
        for place, choice in enumerate(choices):
            counts[place] += Tally.of(policy.reasons(sample.scored, sample.english, choice.of(shard.language, shard.table)))
    return result
