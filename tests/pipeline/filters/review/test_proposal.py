from __future__ import annotations

from typing import Any

import pytest
import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.policy import RULES
from parallel_qa.pipeline.filters.review.calibrate import GRADED
from parallel_qa.pipeline.filters.review.proposal import Proposal, propose_filters, tallies, with_thresholds
from parallel_qa.pipeline.filters.review.verdicts import Verdicts
from parallel_qa.pipeline.settings import FilterSettings
from parallel_qa.pipeline.tally import Tally
from tests.conftest import Run
from tests.pipeline.filters.decisions import reasons_by_table, scored_shards


def kept(run: Run, filters: FilterSettings) -> float:
    tally = sum((Tally.of(reasons) for reasons in reasons_by_table(run, filters).values()), Tally())
    return tally.kept / tally.read


def propose(run: Run, keep: float, **how: Any) -> Proposal:
    return propose_filters(run.settings.filters, scored_shards(run), run.store, keep, **how)


def test_the_proposal_keeps_what_it_says_and_can_be_pasted(sample_run: Run) -> None:
    proposal = propose(sample_run, 0.8)
    assert proposal.kept_before == pytest.approx(kept(sample_run, sample_run.settings.filters))
    assert proposal.kept_after == pytest.approx(kept(sample_run, proposal.filters))
    assert proposal.kept_after >= 0.8 or proposal.kept_after == proposal.kept_before
    pasted = FilterSettings.model_validate(yaml.safe_load(proposal.to_yaml())["filters"])
    assert kept(sample_run, pasted) == pytest.approx(proposal.kept_after)


def test_thresholds_for_each_language_and_kind_are_exceptions(sample_run: Run) -> None:
    proposal = propose(sample_run, 0.8, per_language=True, per_kind=True)
    where = [(exception.for_language, exception.for_kind) for exception in proposal.filters.exceptions]
    assert where and len(set(where)) == len(where)
    assert {language for language, _ in where} <= set(sample_run.settings.languages)
    assert {kind for _, kind in where} <= {"question", "passage"}
    pasted = FilterSettings.model_validate(yaml.safe_load(proposal.to_yaml())["filters"])
    assert kept(sample_run, pasted) == pytest.approx(proposal.kept_after)


def test_verdicts_are_the_truth(sample_run: Run) -> None:
    decided = reasons_by_table(sample_run)
    plain = {rule.reason: rule.setting for rule in RULES if rule.setting not in GRADED and rule.reason not in ("language", "ending")}
    key, reason = next((key, reason) for key, reasons in decided.items() for reason in reasons if reason in plain)
    shard = next(shard for shard in scored_shards(sample_run) if shard.key == key)
    ids = shard.read(sample_run.store)["id"].to_pylist()
    fallen = [text_id for text_id, why in zip(ids, decided[key], strict=True) if why == reason]
    others = [text_id for text_id, why in zip(ids, decided[key], strict=True) if why is None]
    verdicts = {(key[1], key[2], text_id): True for text_id in [*fallen, *others]}
    milder = propose(sample_run, 0.999, verdicts=verdicts)
    assert milder.rows == len(verdicts)
    assert milder.kept_before < 1 and milder.kept_after > milder.kept_before
    assert getattr(milder.filters, plain[reason]) != getattr(sample_run.settings.filters, plain[reason])
    worse = propose(sample_run, 0.999, verdicts=verdicts | {(key[1], key[2], fallen[0]): False})
    assert worse.bad_before == 0.0 and worse.bad_after is not None


@pytest.mark.parametrize("verdicts", [{("deu_Latn", "passages", "nothing"): True}, {}])
def test_verdicts_of_another_run_are_refused(sample_run: Run, verdicts: Verdicts) -> None:
    with pytest.raises(UserError, match="verdicts: no text of this run has one"):
        propose(sample_run, 0.95, verdicts=verdicts)


def test_what_other_thresholds_would_keep_is_counted_without_scoring(sample_run: Run) -> None:
    strict = with_thresholds(sample_run.settings, ["min_chrf=99", "min_names=null"])
    assert (strict.filters.min_chrf, strict.filters.min_names) == (99.0, None)
    counted = tallies(scored_shards(sample_run), sample_run.store, [sample_run.settings.filters, strict.filters])
    for number, settings in enumerate((sample_run.settings, strict)):
        assert {key: counts[number] for key, counts in counted.items()} == {
            key: Tally.of(reasons) for key, reasons in reasons_by_table(sample_run, settings.filters).items()
        }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("min_chrf", "--set 'min_chrf': write NAME=VALUE"),
        ("min_chrv=3", "--set: unknown key 'min_chrv': did you mean 'min_chrf'"),
        ("min_names=7", "--set: min_names: Input should be less than or equal to 1"),
        ("min_names=[", r"--set 'min_names=\[': '\[' is no value"),
    ],
)
def test_a_threshold_that_is_none_is_refused(sample_run: Run, given: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        with_thresholds(sample_run.settings, [given])
