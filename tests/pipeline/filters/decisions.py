"""What the policy makes of a run, for tests."""

from __future__ import annotations

from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.policy import Reasons
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import FilterSettings
from tests.conftest import Run


def scored_shards(run: Run) -> list[ScoredShard]:
    return Plan(run.settings, run.store).scored_shards


def reasons_by_table(run: Run, filters: FilterSettings | None = None) -> dict[tuple[str, str, str], Reasons]:
    """Why each text is rejected, by (source, language, table), row by row over all shards; with the run's thresholds if none are given."""
    result: dict[tuple[str, str, str], Reasons] = {}
    for shard in scored_shards(run):
        thresholds = (filters or run.settings.filters).of(shard.language, shard.table)
        result.setdefault(shard.key, []).extend(policy.reasons(shard.read(run.store), shard.english(run.store), thresholds))
    return result
