from __future__ import annotations

from parallel_qa.pipeline.settings import CleaningSettings
from parallel_qa.pipeline.sources.evaluation import Evaluation, evaluation_of
from parallel_qa.pipeline.sources.screening import Screening
from tests.project import Project, article

TEA = "Tea is grown in the hills of the south, where it rains for half of the year."
SALT = "Das Salz wird seit vielen Jahren in den Bergen des Nordens abgebaut und verkauft."


def known(project: Project) -> Evaluation:
    """Evaluation texts: one passage and its question."""
    project.source("known", [article(TEA, ("Where is tea grown?", "in the hills"))])
    return evaluation_of(project.settings(evaluation=["./known.md"]))


def test_texts_are_cleaned_and_those_that_cannot_be_used_say_why(project: Project) -> None:
    screening = Screening(CleaningSettings(), known(project))
    texts = [("Some_title", "Salt is <b>white</b>.", "7"), ("", TEA.upper(), "8"), ("", SALT, ""), ("", "??", ""), ("", "bad \udcff", "")]
    screened = screening.screen(texts, "passage")
    assert screened.reasons == [None, "evaluation_passage", "passage_not_english", "passage_without_words", "broken_encoding"]
    assert {place: detail.rsplit(", ", 1)[1] for place, detail in screened.details.items()} == {1: "share 1.00"}
    assert {name: column.to_pylist() for name, column in screened.take([0]).items()} == {
        "title": ["Some title"],
        "text": ["Salt is white."],
        "title_form": ["some title"],
        "form": ["salt is white"],
        "key": ["7"],
    }
    assert screening.changed["html"] == 1


def test_tags_are_text_where_the_source_is_no_html(project: Project) -> None:
    question = "What is the difference between <div> and <span> when R&amp;D writes &eacute;?"
    for html, expected in ((False, question), (True, "What is the difference between\nand when R&D writes é?")):
        screening = Screening(CleaningSettings(), known(project), html)
        assert screening.screen([("", question, "")], "query").take([0])["text"].to_pylist() == [expected]
        assert screening.changed["html"] == html


def test_language_is_judged_where_it_is_asked_for(project: Project) -> None:
    screening = Screening(CleaningSettings(language=False), known(project))
    assert screening.screen([("", SALT, "")], "passage").reasons == [None]


def test_a_title_that_is_damaged_beyond_cleaning_is_a_reason(project: Project) -> None:
    screening = Screening(CleaningSettings(), known(project))
    texts = [(title, "Salt is white.", "") for title in ("a \0 title", "a \ufffd title", "\udcff", "A title", "")]
    assert screening.screen(texts, "passage").reasons == ["nul", "replacement_character", "broken_encoding", None, None]


def test_symbols_hide_no_evaluation_text(project: Project) -> None:
    project.source("known", [article("Tea costs $5 there.", ("Is tea at $5 better than C#?", "Tea"))])
    screening = Screening(CleaningSettings(), evaluation_of(project.settings(evaluation=["./known.md"])))
    leaks = ["Is tea at 5% better than C++?", "Is tea at -5 better than “C”", "is tea, at 5 better than c*"]
    assert screening.screen([("", text, "") for text in leaks], "query").reasons == ["evaluation_query"] * 3
    assert screening.screen([("", "Tea: costs 5 there +", "")], "passage").reasons == ["evaluation_passage"]
