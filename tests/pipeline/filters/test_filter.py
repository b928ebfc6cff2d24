from __future__ import annotations

import pyarrow.compute as pc

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.checks.round_trip import chrf_scores
from parallel_qa.pipeline.filters.checks.scores import compare
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts
from parallel_qa.pipeline.settings import FilterException, FilterSettings
from parallel_qa.pipeline.tally import Tally
from parallel_qa.pipeline.titles import judged_texts
from parallel_qa.pipeline.work import Outcome
from tests.conftest import Run
from tests.pipeline.filters.decisions import reasons_by_table, scored_shards


def shard_of(run: Run, table: str, code: str) -> ScoredShard:
    return next(shard for shard in scored_shards(run) if (shard.language, shard.table) == (code, table))


def test_every_english_row_is_scored_in_every_language(sample_run: Run) -> None:
    [english] = Plan(sample_run.settings, sample_run.store).english_records().values()
    shards = scored_shards(sample_run)
    for code in sample_run.settings.languages:
        for table in schema.TEXTS:
            sizes = [english.files[name].rows for name in english.shards(table)]
            assert [shard.rows for shard in shards if (shard.language, shard.table) == (code, table)] == sizes
    for shard in shards:
        scored, source = shard.read(sample_run.store), shard.english(sample_run.store)
        assert scored.schema == schema.scored(shard.table)
        assert scored["id"].to_pylist() == source["id"].to_pylist()
        assert scored.num_rows == shard.rows
        assert pc.all(pc.is_valid(scored["chrf"])).as_py()


def test_scores_are_those_of_the_texts_put_together(sample_run: Run) -> None:
    shard = shard_of(sample_run, "passages", "deu_Latn")
    scored, english = shard.read(sample_run.store).to_pylist(), shard.english(sample_run.store).to_pylist()
    texts, originals = (["\n".join(filter(None, (row["title"], row["text"]))) for row in rows] for rows in (scored, english))
    assert [row["language"] for row in scored] == language_scores(texts, LANGUAGES.find("de"))
    expected = chrf_scores(originals, [row["back_translation"] for row in scored])
    assert all(abs(row["chrf"] - score) < 0.001 for row, score in zip(scored, expected, strict=True))


def test_answers_are_looked_for_in_the_passages_that_hold_them(sample_run: Run) -> None:
    shard = shard_of(sample_run, "passages", "deu_Latn")
    scores = shard.answer_scores(sample_run.store)
    assert scores.schema == schema.ANSWER_SCORES and len(scores) == shard.rows
    [english] = [record for record in Plan(sample_run.settings, sample_run.store).english_records().values() if record.shards("answers")]
    answers = sample_run.store.read_table(english, "answers/00000.parquet")["answers"].to_pylist()
    assert [len(of_passage) for of_passage in scores["scores"].to_pylist()] == [len(of_passage) for of_passage in answers]
    found = [score for of_passage in scores["scores"].to_pylist() for score in of_passage if score is not None]
    assert len(found) > 0.9 * sum(map(len, answers))
    assert sum(score == 100 for score in found) > 0.7 * len(found)


def test_languages_bear_witness_for_each_other(sample_run: Run) -> None:
    compared = [unit for unit in Plan(sample_run.settings, sample_run.store).compared if unit.table == "queries"]
    assert [sorted(unit.inputs) for unit in compared] == [sorted(sample_run.settings.languages)] * len(compared)
    here = [shard for shard in scored_shards(sample_run) if shard.table == "queries"]
    tables = {shard.language: shard.read(sample_run.store) for shard in here}
    backs, chrf, ratio = (
        {code: table[name].to_pylist() for code, table in tables.items()} for name in ("back_translation", "chrf", "length_ratio")
    )
    expected = compare(judged_texts(here[0].english(sample_run.store)), backs, chrf, ratio)
    for code, table in tables.items():
        assert table["names"].to_pylist() == [None if s is None else pc.cast(s, "float32").as_py() for s in expected[code]["names"]]


def test_chinese_sentences_stand_without_spaces_between_them(sample_run: Run) -> None:
    texts = shard_of(sample_run, "passages", "zho_Hans").read(sample_run.store)["text"].to_pylist()
    assert any(text.count("。") > 1 for text in texts)
    assert not any("。 " in text for text in texts)


def test_a_threshold_scores_and_translates_nothing_again(sample_run: Run) -> None:
    strict = FilterSettings(min_chrf=99)
    settings = sample_run.settings.model_copy(update={"filters": strict})
    plan = Plan(settings, sample_run.store)
    assert filter_texts(settings, sample_run.store) == Outcome(skipped=len(plan.scored) + len(plan.compared))
    before, after = (sum(map(Tally.of, reasons_by_table(sample_run, filters).values()), Tally()) for filters in (None, strict))
    assert before.read == after.read
    assert after.kept < before.kept


def test_an_exception_holds_for_its_language_and_kind_only(sample_run: Run) -> None:
    exception = FilterException.model_validate({"for_language": "de", "for_kind": "question", "min_chrf": 100.0, "min_names": None})
    before, after = reasons_by_table(sample_run), reasons_by_table(sample_run, FilterSettings(exceptions=[exception]))
    changed = {key for key in before if before[key] != after[key]}
    assert {(code, table) for _, code, table in changed} == {("deu_Latn", "queries")}
