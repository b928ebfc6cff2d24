"""The report in a real browser, without a network."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from playwright.sync_api import Page

from parallel_qa.pipeline.filters.review.proposal import propose_filters
from parallel_qa.pipeline.filters.review.report import report_page
from parallel_qa.pipeline.filters.review.verdicts import Verdict, Verdicts, load_verdicts
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.pipeline.filters.decisions import reasons_by_table, scored_shards
from tests.project import Project


def show(page: Page, folder: Path, settings: Settings, store: Store, rows: int = 100) -> None:
    file = folder / "report.html"
    file.write_text(report_page(settings, Plan(settings, store).scored_shards, store, rows), encoding="utf-8")
    page.goto(file.as_uri())


def test_counts_scores_and_texts_are_shown(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store)
    decided = reasons_by_table(sample_run)
    assert page.locator("#counts + table tbody tr").count() == len(decided)
    kept = sum(reasons.count(None) for reasons in decided.values())
    cells = [int(cell.replace(",", "")) for cell in page.locator("#counts + table tbody td:nth-child(5)").all_inner_texts()]
    assert sum(cells) == kept
    drawn = page.locator(".figure .gtitle").all_text_contents()
    assert "round_trip" in drawn and "names" in drawn
    assert page.locator(".figure .main-svg path.js-line").count() >= len(drawn)
    assert "min_round_trip" in page.locator(".figure .annotation-text").all_text_contents()
    assert page.locator("#kept-list article").count() == 25
    page.locator("#kept-list > button").click()
    assert page.locator("#kept-list article").count() == 50


def test_arabic_runs_from_right_to_left_and_german_does_not(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store)
    directions = {
        language: page.locator(f"#kept-list .text[lang={language}]").first.evaluate("text => getComputedStyle(text).direction")
        for language in ("ar", "de")
    }
    assert directions == {"ar": "rtl", "de": "ltr"}


def test_search_looks_into_every_language(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store)
    german = page.locator("#kept-list .text[lang=de]").first.inner_text()
    page.fill("#kept-search", german.upper())
    shown = page.locator("#kept-list article")
    assert shown.count() >= 1
    assert all(german in text for text in shown.all_inner_texts())
    page.fill("#kept-search", "no text has this")
    assert shown.count() == 0


def test_rejected_texts_are_found_by_language_and_reason(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store)
    decided = reasons_by_table(sample_run)
    reason = next(reason for reasons in decided.values() for reason in reasons if reason)
    page.select_option("#rejected-reason", reason)
    whys = page.locator("#rejected-list .why").all_inner_texts()
    assert whys and all(reason in why for why in whys)
    code = next(code for (_, code, _), reasons in decided.items() if reason in reasons)
    page.select_option("#rejected-language", code)
    firsts = [text for text in page.locator("#rejected-list .why").all_inner_texts() if text.startswith(f"rejected: {reason}")]
    assert len(firsts) == sum(reasons.count(reason) for (_, language, _), reasons in decided.items() if language == code)


def test_markup_in_a_text_is_shown_as_text(page: Page, project: Project, store: Store, tmp_path: Path) -> None:
    bait = '<img src=x onerror="window.taken=1"> </script><script>window.taken=1</script>'
    for language, question, passage in (
        ("en", "How long is the river Aldo?", "It is long."),
        ("de", f"Wie lang {bait}?", f"Er ist lang {bait}."),
    ):
        (project.folder / f"{language}_queries.tsv").write_text(f"7\t{question}\n")
        (project.folder / f"{language}_passages.tsv").write_text(f"0\t{passage}\n")
    (project.folder / "links.tsv").write_text("7\t0\n")
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["en_queries.tsv"], **table},
        passages={"files": ["en_passages.tsv"], **table},
        links={"files": ["links.tsv"], "columns": ["q", "p"], "quotes": False, "query": "q", "passage": "p"},
        translations={"queries": "{}_queries.tsv", "passages": "{}_passages.tsv", "languages": {"de": "de"}},
    )
    settings = project.settings(languages=["de"])
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    show(page, tmp_path, settings, store)
    assert page.evaluate("window.taken") is None
    assert page.locator("#kept-list img, #rejected-list img").count() == 0
    shown = page.locator("#rejected-list .text, #kept-list .text").all_inner_texts()
    assert any(bait in text for text in shown)


def exported(page: Page, folder: Path) -> Verdicts:
    with page.expect_download() as download:
        page.click("#export")
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return load_verdicts(file)


def test_verdicts_are_kept_and_exported_for_calibrate(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store)
    first = page.locator("#kept-list article").first
    buttons = first.locator("button")
    buttons.nth(0).click()
    buttons.nth(3).click()
    buttons.nth(5).click()
    buttons.nth(5).click()  # and off again
    assert page.locator("#verdicts").inner_text() == "2"
    page.reload()
    assert page.locator("#verdicts").inner_text() == "2"
    assert page.locator("#kept-list article").first.locator("button").nth(0).get_attribute("aria-pressed") == "true"
    verdicts = exported(page, tmp_path)
    assert (tmp_path / f"{sample_run.settings.name}-verdicts.json").is_file()
    assert [verdict.good for verdict in verdicts.of_texts.values()] == [True, False]
    assert not any(verdict.at_random for verdict in verdicts.of_texts.values())
    shown = {text["id"] for text in json.loads(page.locator("#content").inner_text())["texts"]}
    assert {text_id for _, _, text_id in verdicts.of_texts} <= shown
    assert verdicts.drawn_from == {key: len(reasons) for key, reasons in reasons_by_table(sample_run).items()}


def test_texts_at_random_are_of_all_texts_whatever_the_checks_say(page: Page, sample_run: Run, tmp_path: Path) -> None:
    """So many that all are shown: those that no language kept as well, which are not side by side."""
    show(page, tmp_path, sample_run.settings, sample_run.store, rows=10_000)
    content = json.loads(page.locator("#content").inner_text())
    texts = [(text["source"], text["language"], text["table"]) for text in content["random"]]
    assert Counter(texts) == Counter({key: len(reasons) for key, reasons in reasons_by_table(sample_run).items()})
    rejected = {(text["language"], text["table"], text["id"]) for text in content["random"] if text["reasons"]}
    assert rejected == {(text["language"], text["table"], text["id"]) for text in content["rejected"]}


def test_texts_at_random_are_spread_over_languages_and_tables(sample_run: Run, page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store, rows=20)
    content = json.loads(page.locator("#content").inner_text())
    by_language = {code: [text for text in content["random"] if text["language"] == code] for code in sample_run.settings.languages}
    assert all(20 <= len(texts) <= 22 for texts in by_language.values())
    assert all({text["table"] for text in texts[:4]} == {"queries", "passages"} for texts in by_language.values())
    assert len({tuple(text["id"] for text in texts) for texts in by_language.values()}) == 3  # in each language others
    wide = report_page(sample_run.settings, scored_shards(sample_run), sample_run.store, 40)
    assert all(text["id"] in wide for text in content["random"])


def test_texts_at_random_are_judged_before_it_is_told_what_checks_say(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store, rows=10_000)
    content = json.loads(page.locator("#content").inner_text())
    code = next(
        code for code in sample_run.settings.languages if any(text["reasons"] for text in content["random"] if text["language"] == code)
    )
    page.select_option("#random-language", code)
    shown = [text for text in content["random"] if text["language"] == code]
    place = next(place for place, text in enumerate(shown) if text["reasons"])
    while page.locator("#random-list article").count() <= place:
        page.locator("#random-list > button").click()
    card = page.locator("#random-list article").nth(place)
    assert shown[place]["id"] in card.locator("header").inner_text()
    assert not card.locator(".why").is_visible() and not card.locator("details").is_visible()
    assert page.locator("#random-list .rejected").count() == 0
    card.locator("button.bad").click()
    assert card.locator(".why").inner_text() == "rejected: " + ", ".join(shown[place]["reasons"])
    assert card.locator("details").is_visible() and page.locator("#random-list .rejected").count() == 1
    key = (code, shown[place]["table"], shown[place]["id"])
    assert exported(page, tmp_path).of_texts == {key: Verdict(False, "questions", at_random=True)}


def test_a_verdict_on_a_chosen_text_counts_as_such_until_chance_brings_it_up(page: Page, sample_run: Run, tmp_path: Path) -> None:
    show(page, tmp_path, sample_run.settings, sample_run.store, rows=10_000)
    chosen = page.locator("#rejected-list article").first
    chosen.locator("button.good").click()
    ((key, verdict),) = exported(page, tmp_path).of_texts.items()
    assert verdict == Verdict(True, "questions")
    page.select_option("#random-language", key[0])
    card = page.locator("#random-list article", has_text=key[2])
    while not card.count():
        page.locator("#random-list > button").click()
    assert card.locator("button[aria-pressed=true]").count() == 0  # there it is yet to be judged
    card.locator("button.good").click()
    assert exported(page, tmp_path).of_texts == {key: Verdict(True, "questions", at_random=True)}
    chosen.locator("button.bad").click()  # thought better of it
    assert exported(page, tmp_path).of_texts == {key: Verdict(False, "questions", at_random=True)}
    page.click("#clear")
    assert page.locator("button[aria-pressed=true]").count() == 0 and page.locator("#random-list .rejected").count() == 0


def test_verdicts_at_random_say_what_is_kept_of_the_run(page: Page, sample_run: Run, tmp_path: Path) -> None:
    """By a person who agrees with the checks on all but the first text that is kept."""
    show(page, tmp_path, sample_run.settings, sample_run.store, rows=40)
    code = sample_run.settings.languages[0]
    page.select_option("#random-language", code)
    while page.locator("#random-list > button").count():
        page.locator("#random-list > button").click()
    texts = [text for text in json.loads(page.locator("#content").inner_text())["random"] if text["language"] == code]
    first = next(place for place, text in enumerate(texts) if not text["reasons"])
    for place, text in enumerate(texts):
        good = not text["reasons"] and place != first
        page.locator("#random-list article").nth(place).locator("button.good" if good else "button.bad").click()
    verdicts = exported(page, tmp_path)
    proposal = propose_filters(sample_run.settings.filters, scored_shards(sample_run), sample_run.store, 0.9, verdicts)
    assert (proposal.judged, proposal.judged_at_random) == (len(texts), len(texts))
    assert proposal.kept_good is not None and proposal.kept_good.before.value == 1.0 and proposal.kept_good.before.low < 1.0
    assert proposal.kept_bad is not None and 0.0 < proposal.kept_bad.before.value < 1.0
    assert proposal.kept_bad.after.value <= proposal.kept_bad.before.value


def test_the_page_is_the_same_every_time_and_needs_nothing_beside_it(sample_run: Run) -> None:
    first, again = (report_page(sample_run.settings, scored_shards(sample_run), sample_run.store, 5) for _ in range(2))
    assert first == again
    assert "<script src" not in first and '<link rel="stylesheet"' not in first


def test_what_candidates_changed_is_shown_where_there_are_any(sample_run: Run) -> None:
    facts = {"pieces_there": 21_000, "pieces_back": 30_000, "units": 8, "with_all_pieces": 1, "checked": 4_000, "differing": 6}
    shards = scored_shards(sample_run)
    page = report_page(sample_run.settings, shards, sample_run.store, 5, {"deu_Latn": facts})
    assert '<td>German<td class="number">21,000<td class="number">30,000<td class="number">4,000' in page
    assert '<td class="number">0.15<td class="number">1 of 8' in page
    assert 'id="candidates"' not in report_page(sample_run.settings, shards, sample_run.store, 5)
