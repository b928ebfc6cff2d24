from __future__ import annotations

import pyarrow.compute as pc

from pipeline.filters.filter import decide, filter_texts, read_english, read_scored, units
from pipeline.filters.round_trip import chrf_scores
from pipeline.identification import language_scores
from pipeline.languages import LANGUAGES
from pipeline.settings import FilterSettings
from pipeline.sources.download import units as download_units
from pipeline.tally import Tally
from pipeline.work import Outcome
from tests.conftest import Run


def test_every_english_row_is_scored_in_every_language(sample_run: Run) -> None:
    english = download_units(sample_run.settings)[0].result(sample_run.store)
    for unit in units(sample_run.settings, sample_run.store):
        scored, source = read_scored(sample_run.store, unit), read_english(sample_run.store, unit)
        assert scored["id"].to_pylist() == source["id"].to_pylist()
        assert scored.num_rows == english.files[f"{unit.table}/{unit.shard:05d}.parquet"].rows
        assert pc.all(pc.is_valid(scored["chrf"])).as_py()


def test_scores_are_those_of_the_texts_put_together(sample_run: Run) -> None:
    unit = next(u for u in units(sample_run.settings, sample_run.store) if (u.table, u.language) == ("passages", "deu_Latn"))
    scored, english = read_scored(sample_run.store, unit).to_pylist(), read_english(sample_run.store, unit).to_pylist()
    texts = ["\n".join(filter(None, (row["title"], row["text"]))) for row in scored]
    originals = ["\n".join(filter(None, (row["title"], row["text"]))) for row in english]
    assert [row["language"] for row in scored] == language_scores(texts, LANGUAGES.find("de"))
    expected = chrf_scores(originals, [row["back_translation"] for row in scored])
    assert all(abs(row["chrf"] - score) < 0.001 for row, score in zip(scored, expected, strict=True))


def test_chinese_sentences_stand_without_spaces_between_them(sample_run: Run) -> None:
    unit = next(u for u in units(sample_run.settings, sample_run.store) if (u.table, u.language) == ("passages", "zho_Hans"))
    texts = read_scored(sample_run.store, unit)["text"].to_pylist()
    assert any(text.count("。") > 1 for text in texts)
    assert not any("。 " in text for text in texts)


def test_a_threshold_scores_and_translates_nothing_again(sample_run: Run) -> None:
    settings = sample_run.settings
    strict = settings.model_copy(update={"filters": FilterSettings(min_chrf=99, min_chrf_short=99)})
    count = len(units(settings, sample_run.store))
    assert filter_texts(strict, sample_run.store) == Outcome(skipped=count)
    tallies = [sum((Tally.of(reasons) for reasons in decide(choice, sample_run.store).values()), Tally()) for choice in (settings, strict)]
    assert tallies[0].read == tallies[1].read
    assert tallies[1].kept < tallies[0].kept
