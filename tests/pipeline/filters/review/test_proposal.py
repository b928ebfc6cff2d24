from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.policy import RULES
from parallel_qa.pipeline.filters.review.calibrate import GRADED, changed_settings
from parallel_qa.pipeline.filters.review.judged import judged_texts
from parallel_qa.pipeline.filters.review.proposal import Proposal, propose_filters, tallies, with_thresholds
from parallel_qa.pipeline.filters.review.verdicts import Verdict, Verdicts
from parallel_qa.pipeline.settings import FilterSettings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.tally import Tally
from tests.conftest import Run
from tests.counting_store import CountingStore
from tests.pipeline.filters.decisions import reasons_by_table, scored_shards
from tests.pipeline.filters.review.scored_run import LANGUAGES, round_trips, write_shard


def kept(run: Run, filters: FilterSettings) -> float:
    tally = sum((Tally.of(reasons) for reasons in reasons_by_table(run, filters).values()), Tally())
    return tally.kept / tally.read


def propose(run: Run, keep: float, **how: Any) -> Proposal:
    return propose_filters(run.settings.filters, scored_shards(run), run.store, keep, **how)


def test_the_proposal_keeps_what_it_says_and_can_be_pasted(sample_run: Run) -> None:
    proposal = propose(sample_run, 0.8)
    assert proposal.kept.before.value == pytest.approx(kept(sample_run, sample_run.settings.filters))
    assert proposal.kept.after.value == pytest.approx(kept(sample_run, proposal.filters))
    assert proposal.kept.after.value >= 0.8 or proposal.kept.after == proposal.kept.before
    assert proposal.kept.after.low == proposal.kept.after.value  # all texts were looked at
    pasted = FilterSettings.model_validate(yaml.safe_load(proposal.to_yaml())["filters"])
    assert kept(sample_run, pasted) == pytest.approx(proposal.kept.after.value)
    assert proposal.summary() == [f"From {proposal.rows:,} texts. Kept of texts: {proposal.kept}."]


def test_a_part_of_the_texts_tells_about_all_of_them(sample_run: Run) -> None:
    proposal = propose(sample_run, 0.8, rows=150)
    assert 150 <= proposal.rows < 150 + 6
    before = proposal.kept.before
    assert before.low < before.value < before.high
    assert before.low <= kept(sample_run, sample_run.settings.filters) <= before.high
    assert proposal.summary()[0].startswith(f"From {proposal.rows} of ")


def test_thresholds_for_each_language_and_kind_are_exceptions(sample_run: Run) -> None:
    proposal = propose(sample_run, 0.8, per_language=True, per_kind=True)
    where = [(exception.for_language, exception.for_kind) for exception in proposal.filters.exceptions]
    few = [note for note in proposal.notes if note.startswith("No exception for ")]
    assert where and len(set(where)) == len(where) and len(where) + len(few) <= 6
    assert {language for language, _ in where} <= set(sample_run.settings.languages)
    assert {kind for _, kind in where} <= {"question", "passage"}
    pasted = FilterSettings.model_validate(yaml.safe_load(proposal.to_yaml())["filters"])
    assert kept(sample_run, pasted) == pytest.approx(proposal.kept.after.value)


OWN = [
    {"for_language": "deu_Latn", "for_kind": "question", "min_names": 0.11, "min_round_trip_short": None},
    {"for_language": "arb_Arab", "min_length_ratio": 0.123},
]


@pytest.mark.parametrize("per_language", [False, True])
def test_the_exceptions_of_a_profile_stay_and_hold(sample_run: Run, per_language: bool) -> None:
    own = FilterSettings.model_validate({"min_marks": 0.6, "exceptions": OWN})
    run = replace(sample_run, settings=sample_run.settings.model_copy(update={"filters": own}))
    proposal = propose(run, 0.7, per_language=per_language, per_kind=per_language)
    assert proposal.filters.exceptions[-2:] == own.exceptions
    assert (len(proposal.filters.exceptions) > 2) == per_language
    for filters in (proposal.filters, FilterSettings.model_validate(yaml.safe_load(proposal.to_yaml())["filters"])):
        german, arabic = filters.of("deu_Latn", "queries"), filters.of("arb_Arab", "passages")
        assert (german.min_names, german.min_round_trip_short, arabic.min_length_ratio) == (0.11, None, 0.123)
        assert filters.of("deu_Latn", "passages").min_names != 0.11
        assert filters.min_answers == own.min_answers  # nothing is learnt of pairs
    assert yaml.safe_load(proposal.to_yaml())["filters"]["min_marks"] == 0.6  # as it stands in the profile


def shards_of(store: Store, languages: Sequence[str], rows: int, numbers: int = 18) -> list[ScoredShard]:
    """Shards as a plan lists them, languages innermost: in language *n* texts score *n* points less."""
    return [
        write_shard(store, language, number, round_trips([float(60 + row % 40 - 2 * place) for row in range(rows)]))
        for number in range(numbers)
        for place, language in enumerate(languages)
    ]


def test_every_language_of_a_run_gets_its_exception_from_its_own_texts(store: Store) -> None:
    """Eight languages and eighteen shards, of which every eighth is of one language."""
    counting = CountingStore(store.url)
    proposal = propose_filters(FilterSettings(), shards_of(store, LANGUAGES, 100), counting, 0.9, per_language=True, rows=1600)
    with_one = [exception.for_language for exception in proposal.filters.exceptions]
    assert len(with_one) >= 7 and with_one == [language for language in LANGUAGES if language in with_one]  # one may be as all are
    limits = [proposal.filters.of(language, "queries").min_round_trip for language in LANGUAGES]
    assert limits == pytest.approx([64 - 2 * place for place in range(len(LANGUAGES))], abs=1.01)
    assert sum(path.startswith("scored/") for path in counting.files_read.elements()) == 8 * len(LANGUAGES)
    assert 0.88 < proposal.kept.after.low < proposal.kept.after.high < 0.95
    assert proposal.summary()[0].startswith("From 1,600 of 14,400 texts, drawn from 64 of 144 shards. Kept of texts: ")


def test_a_language_of_few_texts_gets_none_and_is_told(store: Store) -> None:
    shards = [
        *shards_of(store, ["deu_Latn"], 100, numbers=2),
        write_shard(store, "ibo_Latn", 0, round_trips([50.0] * 20), missing=[0]),
    ]
    proposal = propose_filters(FilterSettings(), shards, store, 0.9, per_language=True)
    assert [exception.for_language for exception in proposal.filters.exceptions] in ([], ["deu_Latn"])
    assert proposal.notes == ["No exception for ibo_Latn: 19 texts, fewer than 20."]
    assert proposal.summary()[-1] == proposal.notes[0]


def test_a_large_source_counts_as_what_it_is(store: Store) -> None:
    """A tenth of the texts are of a source that scores worse: of both, as many are looked at."""
    shards = [
        write_shard(store, "deu_Latn", 0, round_trips([50.0] * 100), source="small"),
        *(write_shard(store, "deu_Latn", number, round_trips([80.0] * 100), source="large") for number in range(9)),
    ]
    strict = FilterSettings(min_round_trip=60.0)
    proposal = propose_filters(strict, shards, store, 0.95, rows=100)
    assert proposal.kept.before.value == pytest.approx(0.9)
    assert proposal.filters.min_round_trip == 50.0 and proposal.kept.after.value == 1.0
    assert propose_filters(strict, shards, store, 0.85, rows=100).filters.min_round_trip == 80.0


def test_verdicts_are_the_truth(sample_run: Run) -> None:
    decided = reasons_by_table(sample_run)
    plain = {rule.reason: rule.setting for rule in RULES if rule.setting not in GRADED and rule.reason not in ("language", "ending")}
    key, reason = next((key, reason) for key, reasons in decided.items() for reason in reasons if reason in plain)
    shard = next(shard for shard in scored_shards(sample_run) if shard.key == key)
    ids = shard.read(sample_run.store)["id"].to_pylist()
    fallen = [text_id for text_id, why in zip(ids, decided[key], strict=True) if why == reason]
    others = [text_id for text_id, why in zip(ids, decided[key], strict=True) if why is None]
    verdicts = {(key[1], key[2], text_id): Verdict(good=True) for text_id in [*fallen, *others]}
    milder = propose(sample_run, 0.999, verdicts=Verdicts(verdicts))
    assert (milder.judged, milder.judged_at_random) == (len(verdicts), 0)
    assert milder.kept_good is not None and milder.kept_bad is None
    assert milder.kept_good.before.value < 1 and milder.kept_good.after.value > milder.kept_good.before.value
    assert getattr(milder.filters, plain[reason]) != getattr(sample_run.settings.filters, plain[reason])
    worse = propose(sample_run, 0.999, verdicts=Verdicts(verdicts | {(key[1], key[2], fallen[0]): Verdict(good=False)}))
    assert worse.kept_bad is not None and worse.kept_bad.before.value == 0.0
    assert any("of the texts judged, chosen as they were" in line for line in worse.summary())


def test_bad_verdicts_make_the_check_stricter_that_tells_them(store: Store) -> None:
    """A hundred texts of two shards, judged at random; one in ten is bad, and has passed all checks."""
    names = [0.6 if row % 10 == 0 else 0.9 for row in range(500)]
    shards = [write_shard(store, "deu_Latn", number, round_trips([80.0] * 500) | {"names": names}) for number in range(2)]
    ids = [f"source-{number}-{row}" for number in range(2) for row in range(50)]
    of_texts = {("deu_Latn", "queries", text_id): Verdict(not text_id.endswith("0"), "source", at_random=True) for text_id in ids}
    verdicts = Verdicts(of_texts, {("source", "deu_Latn", "queries"): 1000})
    proposal = propose_filters(FilterSettings(), shards, store, 0.95, verdicts)
    assert changed_settings(FilterSettings(), proposal.filters) == {"min_names": 0.75}
    assert proposal.kept_good is not None and proposal.kept_bad is not None
    assert str(proposal.kept_good) == "100.0% (95.9% to 100.0%) before, 100.0% (95.9% to 100.0%) with these"
    assert str(proposal.kept_bad) == "100.0% (72.2% to 100.0%) before, 0.0% (0.0% to 27.8%) with these"
    assert proposal.kept.after.value == pytest.approx(0.9)  # of all texts of the run
    assert proposal.summary()[1] == "From 100 texts judged, 100 of them drawn at random."


def test_a_verdict_weighs_as_much_as_its_source_has_texts(store: Store) -> None:
    """Of the large source all judged texts are kept, of the small one none."""
    shards = [
        write_shard(store, "deu_Latn", 0, round_trips([80.0] * 300), source="large"),
        write_shard(store, "deu_Latn", 0, round_trips([10.0] * 40), source="small"),
    ]
    of_texts = {
        ("deu_Latn", "queries", f"{source}-0-{row}"): Verdict(True, source, at_random=True)
        for source, count in (("large", 30), ("small", 20))
        for row in range(count)
    }
    rows = propose_filters(FilterSettings(), shards, store, 0.5, Verdicts(of_texts)).kept_good
    told = propose_filters(FilterSettings(), shards, store, 0.5, Verdicts(of_texts, {("small", "deu_Latn", "queries"): 300})).kept_good
    assert rows is not None and rows.before.value == pytest.approx(300 / 340)
    assert told is not None and told.before.value == pytest.approx(0.5)


def test_verdicts_on_chosen_texts_say_what_is_bad_but_not_how_much_is_kept(store: Store) -> None:
    """People looked for texts that `numbers` rejects and found them good: those at random say that few good ones fall."""
    numbers = [0.5] * 20 + [1.0] * 80
    shards = [write_shard(store, "deu_Latn", 0, round_trips([80.0] * 95 + [45.0] * 5) | {"numbers": numbers})]
    good = {("deu_Latn", "queries", f"source-0-{row}"): Verdict(True, "source", at_random=row >= 20) for row in range(60)}
    bad = {("deu_Latn", "queries", f"source-0-{row}"): Verdict(False, "source") for row in range(95, 100)}
    proposal = propose_filters(FilterSettings(), shards, store, 0.95, Verdicts(good | bad))
    assert changed_settings(FilterSettings(), proposal.filters) == {"min_round_trip": 62.5}
    assert proposal.kept_good is not None and proposal.kept_good.before.value == 1.0
    assert proposal.kept_bad is None and (proposal.judged, proposal.judged_at_random, proposal.notes) == (65, 40, [])
    alike = {name: replace(verdict, at_random=False) for name, verdict in good.items()}
    all_alike = propose_filters(FilterSettings(), shards, store, 0.95, Verdicts(alike | bad))
    assert changed_settings(FilterSettings(), all_alike.filters) == {"min_numbers": 0.5, "min_round_trip": 62.5}
    assert all_alike.notes[0].startswith("0 good texts were judged at random, fewer than 20: ")


def test_a_judged_text_counts_once_and_for_its_own_source(store: Store) -> None:
    first, second = (write_shard(store, "deu_Latn", 0, round_trips([80.0] * 3), source=source) for source in ("first", "second"))
    twice = replace(second, source="other")  # the same texts by another name
    of_texts = {("deu_Latn", "queries", "second-0-1"): Verdict(True, "other"), ("deu_Latn", "queries", "second-0-2"): Verdict(False)}
    found = judged_texts([first, second, twice], store, Verdicts(of_texts))
    assert [(each.shard.source, each.sample.scored["id"].to_pylist(), each.sample.is_good.tolist()) for each in found] == [
        ("second", ["second-0-2"], [False]),
        ("other", ["second-0-1"], [True]),
    ]


def test_shards_without_a_judged_text_are_not_read_but_for_their_ids(store: Store) -> None:
    shards = shards_of(store, LANGUAGES, 10)
    counting = CountingStore(store.url)
    verdicts = Verdicts({("tha_Thai", "queries", "source-7-3"): Verdict(True), ("hin_Deva", "queries", "source-7-3"): Verdict(False)})
    assert [each.shard.language for each in judged_texts(shards, counting, verdicts)] == ["hin_Deva", "tha_Thai"]
    assert len(counting.files_read) == 2 * 3 - 1  # their English is one file


def test_english_that_is_damaged_is_named(store: Store) -> None:
    shard = write_shard(store, "deu_Latn", 0, round_trips([80.0]))
    (Path(store.root) / shard.english_file.path).write_bytes(b"no Parquet")
    with pytest.raises(UserError, match=r"texts-.*delete its folder and run again"):
        judged_texts([shard], store, Verdicts({("deu_Latn", "queries", "x"): Verdict(True)}))


@pytest.mark.parametrize("verdicts", [{("deu_Latn", "passages", "nothing"): Verdict(True)}, {}])
def test_verdicts_of_another_run_are_refused(sample_run: Run, verdicts: Mapping[tuple[str, str, str], Verdict]) -> None:
    with pytest.raises(UserError, match="verdicts: no text of this run has one"):
        propose(sample_run, 0.95, verdicts=Verdicts(verdicts))


def test_a_run_without_texts_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="there are no scored texts: run the stage filter first"):
        propose_filters(FilterSettings(), [], store, 0.95)


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
