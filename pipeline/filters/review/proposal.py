"""Thresholds for a run, proposed from its scores or from what people think of its texts; and what they would keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.review.calibrate import Part, changed_settings, propose_thresholds
from parallel_qa.pipeline.filters.review.drawing import ROWS, Drawn, DrawnStratum, draw
from parallel_qa.pipeline.filters.review.judged import Judged, judged_counts, judged_texts
from parallel_qa.pipeline.filters.review.samples import ScoredSample, concatenate, read_sample
from parallel_qa.pipeline.filters.review.shares import Share, StratumCounts, estimated_share
from parallel_qa.pipeline.filters.review.verdicts import Verdicts
from parallel_qa.pipeline.parsing import parse
from parallel_qa.pipeline.settings import FilterException, FilterSettings, Settings, Thresholds, assignments
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.tally import Tally

KINDS: dict[str, Literal["question", "passage"]] = {"queries": "question", "passages": "passage"}

FEWEST = 20
"""A language or a kind with fewer texts, or fewer judged good, gets no exception: one of them is more than the twentieth that is
rejected by default. With fewer good ones judged at random, the share to keep is that of all that were judged good."""

Samples = Sequence[tuple[ScoredShard, ScoredSample]]
Group = tuple[str | None, Literal["question", "passage"] | None]
"""Language and kind of text; None where thresholds are the same for all."""


@dataclass(frozen=True)
class Kept:
    """The share of some texts that is kept: before, with the thresholds of the profile, and after, with those proposed."""

    before: Share
    after: Share

    def __str__(self) -> str:
        return f"{self.before} before, {self.after} with these"


@dataclass(frozen=True)
class Proposal:
    """Proposed thresholds, and the shares of a run's texts that they keep."""

    filters: FilterSettings
    given: FilterSettings
    """What they are proposed in place of."""
    drawn: Sequence[DrawnStratum]
    """The texts that were drawn of the run."""
    kept: Kept
    """Of all texts."""
    kept_good: Kept | None = None
    """Of the run's good ones, estimated from the texts that were judged at random, or where none was, of all that were judged; None
    where there is none."""
    kept_bad: Kept | None = None
    """The same of the bad ones."""
    judged: int = 0
    """How many texts were judged, and how many of these were drawn at random."""
    judged_at_random: int = 0
    notes: Sequence[str] = ()
    """What was left undone, and why."""

    @property
    def rows(self) -> int:
        """How many texts were drawn."""
        return sum(len(each.sample.scored) for stratum in self.drawn for each in stratum.drawn)

    def summary(self) -> list[str]:
        """What the proposal rests on and would keep, in lines for a reader."""
        of, shards, shards_of = (sum(numbers) for numbers in zip(*((s.texts, len(s.drawn), s.shards) for s in self.drawn), strict=True))
        complete = all(stratum.complete for stratum in self.drawn)
        drawn = f"From {of:,} texts" if complete else f"From {self.rows:,} of {of:,} texts, drawn from {shards:,} of {shards_of:,} shards"
        lines = [f"{drawn}. Kept of texts: {self.kept}."]
        whose = "of the run's texts, by those judged at random" if self.judged_at_random else "of the texts judged, chosen as they were"
        if self.judged:
            lines.append(f"From {self.judged:,} texts judged, {self.judged_at_random:,} of them drawn at random.")
        if self.kept_good:
            lines.append(f"Kept of good texts ({whose}): {self.kept_good}.")
        if self.kept_bad:
            lines.append(f"Kept of bad texts ({whose}): {self.kept_bad}.")
        return [*lines, *self.notes]

    def to_yaml(self) -> str:
        """The proposal as it goes into a profile: what is not the default or stands in the profile, and all exceptions."""
        changed = changed_settings(Thresholds(), self.filters)
        names = [name for name in Thresholds.model_fields if name in changed or name in self.given.model_fields_set]
        content: dict[str, Any] = {name: getattr(self.filters, name) for name in names}
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
    rows: int = ROWS,
) -> Proposal:
    """Thresholds in place of `filters` that keep the share `keep` of a run's texts, overall or for each language and kind of text.

    About `rows` texts are drawn (see `draw`) to say what is kept, and to propose from; with `verdicts`, proposals are made from the
    texts that have one (see `propose_thresholds`). The exceptions of `filters` stay as they are and win: what they set is
    proposed for the other texts alone. Raises UserError where there are no texts, or none of them has a verdict.
    """
    drawn = draw(shards, store, rows=rows)
    if not drawn:
        raise UserError("there are no scored texts: run the stage filter first")
    judged = [] if verdicts is None else judged_texts(shards, store, verdicts)
    if verdicts is not None and not judged:
        raise UserError("verdicts: no text of this run has one")
    looked_at: Sequence[Drawn | Judged] = judged or [each for stratum in drawn for each in stratum.drawn]
    samples = [(each.shard, each.sample) for each in looked_at]
    proposed = propose_thresholds(_parts(samples, filters), filters, keep)
    notes = _notes(judged)
    if per_language or per_kind:
        made = list(_exceptions(_groups(shards, per_language, per_kind), samples, proposed, keep, notes))
        proposed = proposed.model_copy(update={"exceptions": [*made, *filters.exceptions]})
    of_good, of_bad = (_kept(*(_judged_counts(judged, choice, good) for choice in (filters, proposed))) for good in (True, False))
    return Proposal(
        proposed,
        filters,
        drawn,
        _kept(*(_counts(drawn, choice) for choice in (filters, proposed))) or _NOTHING,
        of_good,
        of_bad,
        judged=sum(len(each.sample.scored) for each in judged),
        judged_at_random=sum(int(each.at_random.sum()) for each in judged),
        notes=notes,
    )


_NOTHING = Kept(Share(1.0, 1.0, 1.0), Share(1.0, 1.0, 1.0))  # of a run in which no source has a text


def _groups(shards: Sequence[ScoredShard], per_language: bool, per_kind: bool) -> list[Group]:
    """The languages and kinds of a run, in its order."""
    groups = [(shard.language if per_language else None, KINDS[shard.table] if per_kind else None) for shard in shards]
    return list(dict.fromkeys(groups))


def _exceptions(
    groups: Sequence[Group], samples: Samples, filters: FilterSettings, keep: float, notes: list[str]
) -> Iterator[FilterException]:
    """For each group the thresholds in which its proposal differs from `filters`, where it does; adds to `notes` why there is none."""
    for language, kind in groups:
        of_group = [
            (shard, sample) for shard, sample in samples if language in (None, shard.language) and kind in (None, KINDS[shard.table])
        ]
        judged = any(sample.good is not None for _, sample in samples)
        texts = sum(int(sample.is_good.sum()) for _, sample in of_group)
        where = {"for_language": language, "for_kind": kind}
        if texts < FEWEST:
            who = " ".join(name for name in (language, kind) if name)
            notes.append(f"No exception for {who}: {texts:,} texts{' judged good' if judged else ''}, fewer than {FEWEST}.")
            continue
        changed = changed_settings(filters, propose_thresholds(_parts(of_group, filters), filters, keep))
        if changed:
            yield FilterException.model_validate({name: value for name, value in where.items() if value} | changed)


def _parts(samples: Samples, filters: FilterSettings) -> list[Part]:
    """The texts by language and table, each with what the exceptions of `filters` fix for it.

    Where fewer than `FEWEST` good texts were judged at random, all that were judged weigh the same.
    """
    at_random = sum(int((sample.is_good & (sample.row_weights > 0)).sum()) for _, sample in samples)
    alike = any(sample.good is not None for _, sample in samples) and at_random < FEWEST
    together: dict[tuple[str, str], list[ScoredSample]] = {}
    for shard, sample in samples:
        together.setdefault((shard.language, shard.table), []).append(replace(sample, weights=None) if alike else sample)
    return [Part(concatenate(same), filters.exceptional(*where)) for where, same in together.items()]


def _notes(judged: Sequence[Judged]) -> list[str]:
    at_random = sum(int((each.at_random & each.sample.is_good).sum()) for each in judged)
    if not judged or at_random >= FEWEST:
        return []
    few = f"{at_random:,} good texts were judged at random, fewer than {FEWEST}"
    return [f"{few}: the share to keep is that of all texts judged good, however they were chosen."]


def _kept(before: Sequence[StratumCounts], after: Sequence[StratumCounts]) -> Kept | None:
    shares = estimated_share(before), estimated_share(after)
    return None if shares[0] is None or shares[1] is None else Kept(shares[0], shares[1])


def _counts(drawn: Sequence[DrawnStratum], filters: FilterSettings) -> list[StratumCounts]:
    """How many of the drawn texts `filters` keep, by shard."""
    result = []
    for stratum in drawn:
        thresholds = filters.of(*stratum.key[1:])
        kept = [float(Part(each.sample).kept(thresholds).sum()) for each in stratum.drawn]
        counted = [float(len(each.sample.scored)) for each in stratum.drawn]
        result.append(StratumCounts(stratum.weight, np.array(counted), np.array(kept), stratum.complete))
    return result


def _judged_counts(judged: Sequence[Judged], filters: FilterSettings, good: bool) -> list[StratumCounts]:
    """How many of the good (or bad) texts that were judged `filters` keep: of those judged at random, where there are any."""
    kept: list[NDArray[np.bool_]] = [Part(each.sample).kept(filters.of(each.shard.language, each.shard.table)) for each in judged]
    return judged_counts(judged, kept, good)


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
