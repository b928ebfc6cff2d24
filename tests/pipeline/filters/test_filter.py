from __future__ import annotations

import pyarrow.compute as pc

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.assembly import english_wholes
from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores
from parallel_qa.pipeline.filters.checks.scores import compare
from parallel_qa.pipeline.filters.filter import Shard, comparisons, decide, filter_texts, shards, units
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.settings import FilterException, FilterSettings
from parallel_qa.pipeline.sources.prepare import units as download_units
from parallel_qa.pipeline.tally import Tally
from parallel_qa.pipeline.work import Outcome
from tests.conftest import Run


def shard_of(run: Run, table: str, code: str) -> Shard:
    return next(shard for shard in shards(run.settings, run.store) if shard.key[1:] == (code, table))


def test_every_english_row_is_scored_in_every_language(sample_run: Run) -> None:
    english = download_units(sample_run.settings)[0].result(sample_run.store)
    found = shards(sample_run.settings, sample_run.store)
    assert {shard.key[1] for shard in found} == set(sample_run.settings.languages)
    for shard in found:
        scored, source = shard.read(sample_run.store), shard.english(sample_run.store)
        assert scored.schema == schema.scored(shard.key[2])
        assert scored["id"].to_pylist() == source["id"].to_pylist()
        assert scored.num_rows == english.files[f"{shard.key[2]}/{shard.scored.shard:05d}.parquet"].rows
        assert pc.all(pc.is_valid(scored["chrf"])).as_py()


def test_scores_are_those_of_the_texts_put_together(sample_run: Run) -> None:
    shard = shard_of(sample_run, "passages", "deu_Latn")
    scored, english = shard.read(sample_run.store).to_pylist(), shard.english(sample_run.store)
    texts = ["\n".join(filter(None, (row["title"], row["text"]))) for row in scored]
    originals = english_wholes(english)
    assert originals == ["\n".join(filter(None, (row["title"], row["text"]))) for row in english.to_pylist()]
    assert [row["language"] for row in scored] == language_scores(texts, LANGUAGES.find("de"))
    expected = chrf_scores(originals, [row["back_translation"] for row in scored])
    assert all(abs(row["chrf"] - score) < 0.001 for row, score in zip(scored, expected, strict=True))


def test_answers_are_looked_for_in_the_passages_that_hold_them(sample_run: Run) -> None:
    passages = shard_of(sample_run, "passages", "deu_Latn").read(sample_run.store)
    queries = shard_of(sample_run, "queries", "deu_Latn").read(sample_run.store)
    assert queries["answers"].null_count == queries.num_rows
    found = [score for score in passages["answers"].to_pylist() if score is not None]
    assert len(found) > 0.9 * passages.num_rows
    assert sum(score == 100 for score in found) > 0.7 * len(found)


def test_languages_bear_witness_for_each_other(sample_run: Run) -> None:
    compared = [unit for unit in comparisons(sample_run.settings, sample_run.store) if unit.table == "queries"]
    assert [sorted(unit.inputs) for unit in compared] == [sorted(sample_run.settings.languages)] * len(compared)
    here = [shard for shard in shards(sample_run.settings, sample_run.store) if shard.key[2] == "queries"]
    tables = {shard.key[1]: shard.read(sample_run.store) for shard in here}
    backs, chrf, ratio = (
        {code: table[name].to_pylist() for code, table in tables.items()} for name in ("back_translation", "chrf", "length_ratio")
    )
    expected = compare(english_wholes(here[0].english(sample_run.store)), backs, chrf, ratio)
    for code, table in tables.items():
        assert table["names"].to_pylist() == [None if s is None else pc.cast(s, "float32").as_py() for s in expected[code]["names"]]


def test_chinese_sentences_stand_without_spaces_between_them(sample_run: Run) -> None:
    texts = shard_of(sample_run, "passages", "zho_Hans").read(sample_run.store)["text"].to_pylist()
    assert any(text.count("。") > 1 for text in texts)
    assert not any("。 " in text for text in texts)


def test_a_threshold_scores_and_translates_nothing_again(sample_run: Run) -> None:
    settings = sample_run.settings
    strict = settings.model_copy(update={"filters": FilterSettings(min_chrf=99)})
    count = len(units(settings, sample_run.store)) + len(comparisons(settings, sample_run.store))
    assert filter_texts(strict, sample_run.store) == Outcome(skipped=count)
    tallies = [sum((Tally.of(reasons) for reasons in decide(choice, sample_run.store).values()), Tally()) for choice in (settings, strict)]
    assert tallies[0].read == tallies[1].read
    assert tallies[1].kept < tallies[0].kept


def test_an_exception_holds_for_its_language_and_kind_only(sample_run: Run) -> None:
    exception = FilterException.model_validate({"for_language": "de", "for_kind": "question", "min_chrf": 100.0, "min_names": None})
    settings = sample_run.settings.model_copy(update={"filters": FilterSettings(exceptions=[exception])})
    before, after = decide(sample_run.settings, sample_run.store), decide(settings, sample_run.store)
    changed = {key for key in before if before[key] != after[key]}
    assert {(code, table) for _, code, table in changed} == {("deu_Latn", "queries")}
