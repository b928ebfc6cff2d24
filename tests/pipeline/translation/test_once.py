"""Each sentence is translated once, whatever source it stands in, whoever does the work and however it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare, translate
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome, Step, Unit, run_step
from parallel_qa.pipeline.work import run_here as real_run_here
from tests.instant_engine import Asked, start_anew, use_instant_engine
from tests.project import Project, article

RIVERS = [f"The river Aldo is {number} kilometres long." for number in range(100, 140)]
TOWNS = [f"The town of Marlo has about {number} inhabitants." for number in range(100, 140)]
EVERYWHERE = "Nothing else is known."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return use_instant_engine(monkeypatch)


def write_source(project: Project, name: str, sentences: Iterable[str]) -> None:
    """A source with a passage for each two of `sentences`, each of which ends with the same sentence."""
    texts = list(sentences)
    project.source(
        name,
        [
            article(f"{' '.join(texts[start : start + 2])} {EVERYWHERE}", (f"What is number {start} of {name}?", "Aldo"))
            for start in range(0, len(texts), 2)
        ],
    )


def settings_of(project: Project, *sources: str, shard_sentences: int = 12, **changes: object) -> Settings:
    return project.settings(
        sources=[f"./{name}.md" for name in sources],
        languages=["de"],
        cleaning={"shard_rows": 4, "language": False},
        translation={"shard_sentences": shard_sentences, **changes},
    )


def english_of(plan: Plan) -> set[str]:
    """All sentences of all sources."""
    return {
        text
        for units in plan.segmented.values()
        for unit in units
        for text in plan.store.read_tables(unit.result(plan.store), "sentences")["text"].to_pylist()
    }


def once(sentences: Iterable[str]) -> Asked:
    """What engines are asked where each sentence goes there once, and back once."""
    return Asked({key: 1 for text in sentences for key in (("eng_Latn", "deu_Latn", text), ("deu_Latn", "eng_Latn", f"{text} [deu_Latn]"))})


def test_a_sentence_of_two_sources_and_of_many_packs_is_translated_once(project: Project, store: Store, asked: Asked) -> None:
    write_source(project, "rivers", RIVERS)
    write_source(project, "towns", [*RIVERS[10:20], *TOWNS])
    settings = settings_of(project, "rivers", "towns")
    prepare(settings, store)
    translate(settings, store)
    plan = Plan(settings, store)
    assert min(len(units) for units in plan.translated.values()) > 4
    sentences = english_of(plan)
    assert {*RIVERS, *TOWNS, EVERYWHERE} < sentences
    assert asked == once(sentences)
    [repeated] = {unit.fingerprint: unit for unit in plan.repeated.values()}.values()
    shared = store.read_tables(repeated.result(store), "sentences")["text"].to_pylist()
    assert shared == [EVERYWHERE, *RIVERS[10:20]]


def test_a_source_of_one_pack_has_nothing_repeated(project: Project, store: Store, asked: Asked) -> None:
    write_source(project, "rivers", RIVERS)
    settings = settings_of(project, "rivers", shard_sentences=1000)
    prepare(settings, store)
    # 5 shards of queries and 5 of passages, one pack
    assert translate(settings, store) == Outcome(done=11)
    plan = Plan(settings, store)
    assert (plan.repeated, plan.repeated_translations) == ({}, [])
    assert asked == once(english_of(plan))


def test_two_workers_one_after_the_other_make_all_and_nothing_twice(
    project: Project, store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(project, "rivers", RIVERS)
    write_source(project, "towns", [*RIVERS[10:20], *TOWNS])
    settings = settings_of(project, "rivers", "towns")
    prepare(settings, store)
    first = translate(settings, store, part="1/2")
    plan = Plan(settings, store)
    units = [unit for units in plan.translated.values() for unit in units]
    assert plan.inventory.missing(units) == units[1::2]
    start_anew(monkeypatch)
    second = translate(settings, store, part="2/2")
    assert second.done == len(units[1::2])  # what prepares others, the first has done
    assert translate(settings, store) == Outcome(skipped=first.done + second.done)
    assert asked == once(english_of(plan))


def run_until(settings: Settings, store: Store, most: int) -> None:
    """Translate until so many units are made; then the run is killed."""
    plan = Plan(settings, store)
    done = 0
    run = real_run_here(settings, plan.inventory)

    def counted(step: Step, units: Iterable[Unit]) -> None:
        nonlocal done
        for unit in units:
            if done == most:
                raise KeyboardInterrupt
            run(step, [unit])
            done += 1

    for step in plan.steps("translate"):
        run_step(step, (1, 1), plan.inventory, counted)


@pytest.mark.parametrize("most", [3, 24, 28])
def test_a_run_that_was_stopped_goes_on_where_it_was(
    project: Project, store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    write_source(project, "rivers", RIVERS)
    write_source(project, "towns", [*RIVERS[10:20], *TOWNS])
    settings = settings_of(project, "rivers", "towns")
    prepare(settings, store)
    with pytest.raises(KeyboardInterrupt):
        run_until(settings, store, most)
    start_anew(monkeypatch)
    outcome = translate(settings, store)
    assert outcome.skipped == most
    assert asked == once(english_of(Plan(settings, store)))


def test_a_source_added_later_costs_its_new_sentences_only(
    project: Project, store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(project, "rivers", RIVERS)
    write_source(project, "towns", [*RIVERS[10:20], *TOWNS])
    before = settings_of(project, "rivers")
    prepare(before, store)
    translate(before, store)
    known = english_of(Plan(before, store))
    assert asked == once(known)
    asked.clear()
    start_anew(monkeypatch)
    after = settings_of(project, "rivers", "towns")
    prepare(after, store)
    translate(after, store)
    sentences = english_of(Plan(after, store))
    assert {*RIVERS[10:20], EVERYWHERE} <= known < sentences
    assert asked == once(sentences - known)


@pytest.mark.parametrize("where", ["in front", "inside"])
def test_a_source_that_changes_at_its_beginning_costs_its_new_sentences_only(
    project: Project, store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A row in front moves every sentence to another shard; one that grows leaves the others as they are, but in other packs."""
    write_source(project, "rivers", [*RIVERS, *TOWNS])
    settings = settings_of(project, "rivers", shard_sentences=25)
    prepare(settings, store)
    translate(settings, store)
    known = english_of(Plan(settings, store))
    packs = [pack.files for pack in Plan(settings, store).packs["rivers", "eng_Latn"]]
    asked.clear()
    start_anew(monkeypatch)
    articles = json.loads((project.folder / "rivers.json").read_text(encoding="utf-8"))["data"]
    added = " ".join(f"Aldo {verb} every winter." for verb in ("freezes", "melts", "sleeps", "shines", "grows", "falls", "rises"))
    if where == "in front":
        articles.insert(0, article(added, ("What is new?", "Aldo")))
    else:
        articles[0]["paragraphs"][0]["context"] += f" {added}"
    project.source("rivers", articles)
    prepare(settings, store)
    translate(settings, store)
    after = [pack.files for pack in Plan(settings, store).packs["rivers", "eng_Latn"]]
    same = {file for pack in packs for file in pack.values()} & {file for pack in after for file in pack.values()}
    assert after != packs and (len(same) > 10) == (where == "inside")
    assert asked == once(english_of(Plan(settings, store)) - known)


def test_more_texts_translated_back_cost_their_sentences_on_the_way_back_only(
    project: Project, store: Store, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(project, "rivers", RIVERS)
    for share in (0.2, 0.5, 0.5001, 1.0):
        settings = settings_of(project, "rivers", back_share=share)
        prepare(settings, store)
        translate(settings, store)
        start_anew(monkeypatch)
    assert asked == once(english_of(Plan(settings, store)))
