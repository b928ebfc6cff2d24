from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_qa.pipeline.planning.constants import TOKENS_PER_SECOND
from parallel_qa.pipeline.planning.estimate import Estimate, Rate, StepEstimate, estimate
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare, translate
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import run_here, run_step
from tests.conftest import Run
from tests.project import Project, article

SIZE = {"queries": 25_000, "passages": 12_000, "pairs": 26_000, "sentences": 85_000}
CHARACTERS = 25_000 * 61 + 60_000 * 156
FOLDERS_OF_UNITS = ("english", "segments", "repeated", "translated", "back_translated", "scored", "compared")


def by_name(made: Estimate) -> dict[str, StepEstimate]:
    return {step.name: step for step in made.steps}


def to_do(made: Estimate) -> dict[str, tuple[int, int]]:
    return {step.name: (step.load.to_do, step.load.units) for step in made.steps}


def files_of(store: Store, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (Path(store.root) / folder).rglob("*") if path.is_file())


def of_card(project: Project, store: Store, size: dict[str, int] | None = SIZE, times: int = 1, **settings: object) -> Estimate:
    """Of a source that is not in the store."""
    project.source("questions", [], size=size)
    return estimate(Plan(project.settings(**settings), store), times=times)


def repeating(project: Project) -> Settings:
    """Two sources with one German unit each, which have one sentence in common."""
    for name, river in (("first", "Aldo"), ("second", "Velu")):
        passage = f"The river {river} is 740 kilometres long. It freezes every winter."
        project.source(name, [article(passage, (f"How long is the river {river}?", "740"))])
    return project.settings(sources=["./first.md", "./second.md"], languages=["de"])


def copied(run: Run, folder: Path) -> Store:
    shutil.copytree(run.store.root, folder)
    return Store(str(folder))


def test_after_a_run_everything_is_in_the_store_and_counted_to_the_byte(sample_run: Run) -> None:
    made = estimate(Plan(sample_run.settings, sample_run.store))
    languages = [f"translate {code}" for code in sample_run.settings.languages]
    assert [step.name for step in made.steps] == ["prepare", "segment", "find repeated", *languages, "filter", "compare"]
    assert {left for left, _ in to_do(made).values()} == {0}
    written = list(files_of(sample_run.store, *FOLDERS_OF_UNITS))
    assert (made.store.files, made.store.bytes) == (len(written), sum(path.stat().st_size for path in written))
    assert (made.store.tokens, made.gpu_hours, made.filter_hours) == (0, 0, 0)
    assert made.unknown == []
    assert made.rate.origin == "measured in this store"


def test_each_step_is_counted_by_itself(sample_run: Run) -> None:
    steps = by_name(estimate(Plan(sample_run.settings, sample_run.store)))
    for name, folders in {
        "prepare": ["english"],
        "segment": ["segments"],
        "find repeated": ["repeated"],
        "translate deu_Latn": ["translated/deu_Latn/questions", "back_translated/deu_Latn/questions"],
        "filter": ["scored"],
        "compare": ["compared"],
    }.items():
        written = list(files_of(sample_run.store, *folders))
        load = steps[name].load
        assert (load.files, load.bytes) == (len(written), sum(path.stat().st_size for path in written)), name
        assert load.units == len([path for path in files_of(sample_run.store, folders[-1]) if path.name == "record.json"]), name


def test_no_table_is_read(sample_run: Run, tmp_path: Path) -> None:
    store = copied(sample_run, tmp_path / "store")
    for path in files_of(store, ""):
        if path.suffix == ".parquet":
            path.unlink()
    of_records = estimate(Plan(sample_run.settings, store))
    assert of_records == estimate(Plan(sample_run.settings, sample_run.store))


def test_nothing_is_written(project: Project, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "no-store"), writable=False)
    assert of_card(project, store).store.to_do == 1 + 5 + 1 + 2 * 5 + 2 * 5 + 5
    assert not (tmp_path / "no-store").exists()


def test_a_new_language_is_to_do_alone(sample_run: Run) -> None:
    settings = sample_run.settings.model_copy(update={"languages": [*sample_run.settings.languages, "spa_Latn"]})
    before, after = (by_name(estimate(Plan(one, sample_run.store))) for one in (sample_run.settings, settings))
    german, spanish = after["translate deu_Latn"].load, after["translate spa_Latn"].load
    assert german == before["translate deu_Latn"].load
    assert (spanish.to_do, spanish.units) == (german.units, german.units)
    assert after["filter"].load.to_do == before["filter"].load.units / 3
    assert after["compare"].load.to_do == after["compare"].load.units == before["compare"].load.units


def test_back_translations_that_are_missing_cost_the_way_back_alone(sample_run: Run, tmp_path: Path) -> None:
    settings = sample_run.settings.model_copy(update={"languages": ["deu_Latn"]})
    store = copied(sample_run, tmp_path / "store")
    shutil.rmtree(Path(store.root) / "back_translated/deu_Latn/questions")
    back = by_name(estimate(Plan(settings, store)))["translate deu_Latn"].load
    shutil.rmtree(Path(store.root) / "translated/deu_Latn/questions")
    both = by_name(estimate(Plan(settings, store)))["translate deu_Latn"].load
    assert back.to_do == both.to_do == both.units
    assert both.tokens == pytest.approx(2 * back.tokens)


def test_repeated_sentences_are_counted_once_as_soon_as_they_are_found(project: Project, store: Store) -> None:
    settings = repeating(project)
    prepare(settings, store)
    plan = Plan(settings, store)
    for step in plan.steps("translate"):
        if step.name == "translate repeated":
            break
        run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))
    steps = by_name(estimate(Plan(settings, store)))
    assert {name: (step.load.to_do, step.load.units) for name, step in steps.items() if "repeated" in name or "translate" in name} == {
        "find repeated": (0, 1),
        "translate repeated": (1, 1),
        "translate deu_Latn": (2, 2),
    }
    sentences = {  # of each source its question and two sentences; one of them is the same
        "first": ["How long is the river Aldo?", "The river Aldo is 740 kilometres long.", "It freezes every winter."],
        "second": ["How long is the river Velu?", "The river Velu is 740 kilometres long.", "It freezes every winter."],
    }
    characters = sum(len(text) for texts in sentences.values() for text in texts)
    assert steps["translate deu_Latn"].load.tokens == pytest.approx(2 * characters / 4.2 * (1 - 2 / 6))
    mean = (27 + (38 + 24) / 2) / 2  # of the sentences of a shard, over the shards
    assert steps["translate repeated"].load.tokens == pytest.approx(2 * mean / 4.2)
    translate(settings, store)
    assert {name: left for name, (left, _) in to_do(estimate(Plan(settings, store))).items() if "translate" in name} == {
        "translate repeated": 0,
        "translate deu_Latn": 0,
    }


def test_of_a_card_that_says_how_much_there_is(project: Project, store: Store) -> None:
    made = of_card(project, store)
    # 3 shards of questions, 2 of passages; of sentences 10,000 10,000 | 5,000 | 20,000 | 20,000 | 10,000 10,000: five packs.
    assert to_do(made) == {
        "prepare": (1, 1),
        "segment": (5, 5),
        "find repeated": (1, 1),
        "translate deu_Latn": (5, 5),
        "translate arb_Arab": (5, 5),
        "filter": (10, 10),
        "compare": (5, 5),
    }
    files = {name: step.load.files for name, step in by_name(made).items()}
    assert files["prepare"] == 3 + 2 + 2 + 3 + 1 + 1  # questions, passages, answers, pairs, what was set aside, the record
    assert files["segment"] == 5 + 7 + 5  # tables of texts, of sentences, records
    assert files["translate deu_Latn"] == files["translate arb_Arab"] == 2 * (7 + 5)
    assert files["filter"] == 2 * 10
    assert files["compare"] == 5 * (2 + 1)
    assert by_name(made)["translate deu_Latn"].load.tokens == pytest.approx(2 * CHARACTERS / 4.2)
    assert made.store.tokens == pytest.approx(4 * CHARACTERS / 4.2)
    assert made.rate == Rate(TOKENS_PER_SECOND, "published")
    assert made.gpu_hours == pytest.approx(4 * CHARACTERS / 4.2 / 9_300 / 3600)
    assert made.filter_hours == pytest.approx(2 * (37_000 * (167 + 21) + CHARACTERS * (0.69 + 0.4)) / 1e6 / 3600)
    assert made.release.files == 1 + 2 * (1 + 2 * 2) + 3  # one block: pairs; in three languages texts, in two the rejected; three more
    utf8 = 1 + 1.12 + 1.58
    assert made.cache_bytes == pytest.approx(26_000 * 73 + 37_000 * 3 * 8 + CHARACTERS * utf8)
    assert made.disk_bytes == pytest.approx(made.store.bytes + made.release.bytes)  # one block is not shuffled on disk


def test_a_given_speed_replaces_what_is_known(project: Project, store: Store) -> None:
    project.source("questions", [], size=SIZE)
    made = estimate(Plan(project.settings(), store), tokens_per_second=1_000)
    assert made.rate == Rate(1_000, "given")
    assert made.gpu_hours == pytest.approx(4 * CHARACTERS / 4.2 / 1_000 / 3600)


def test_a_share_that_is_translated_back_costs_that_share(project: Project, store: Store) -> None:
    tokens = {share: of_card(project, store, translation={"back_share": share}).store.tokens for share in (0, 0.25, 1)}
    assert tokens == pytest.approx({share: 2 * CHARACTERS / 4.2 * (1 + share) for share in tokens})


def test_a_card_without_size_is_unknown_until_prepared_and_stops_no_other(project: Project, store: Store) -> None:
    alone = of_card(project, store)
    project.source("silent", [], size=None)
    made = of_card(project, store, sources=["./questions.md", "./silent.md"])
    assert made.unknown == ["silent"]
    assert all(step.unknown == ("silent",) for step in made.steps)
    assert to_do(made) == to_do(alone) | {"prepare": (2, 2)}
    assert made.release == alone.release
    project.source("silent", [], size={"sentences": 100})  # of how many texts?
    assert of_card(project, store, sources=["./questions.md", "./silent.md"]) == made


def test_a_source_that_stays_english_is_not_translated(project: Project, store: Store) -> None:
    project.source("english", [], size=SIZE)
    alone = of_card(project, store)
    made = of_card(project, store, sources=["./questions.md", {"card": "./english.md", "languages": []}])
    assert to_do(made) == to_do(alone) | {"prepare": (2, 2)}
    assert made.store.tokens == alone.store.tokens
    # Its texts are in the cache in English alone; of the other languages, where each would end.
    assert made.cache_bytes - alone.cache_bytes == pytest.approx(26_000 * 73 + 37_000 * 3 * 8 + CHARACTERS)


def parallel(project: Project) -> None:
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        size=SIZE,
        queries={"files": ["queries.tsv"], **table},
        passages={"files": ["passages.tsv"], **table},
        links={"files": ["links.tsv"], "columns": ["q", "p"], "quotes": False, "query": "q", "passage": "p"},
        translations={"queries": "{}_queries.tsv", "passages": "{}_passages.tsv", "languages": {"de": "german"}},
    )


def test_a_source_with_languages_of_its_own_is_only_translated_back(project: Project, store: Store) -> None:
    parallel(project)
    made = estimate(Plan(project.settings(languages=["de", "ar"]), store))
    assert to_do(made) == {
        "prepare": (1, 1),
        "import": (1, 1),
        "segment": (5, 5),
        "find repeated": (1, 1),
        "translate deu_Latn": (5, 5),
        "filter": (5, 5),
        "compare": (5, 5),
    }
    assert made.store.tokens == pytest.approx(CHARACTERS / 4.2)
    assert by_name(made)["translate deu_Latn"].load.files == 7 + 5
    assert by_name(made)["prepare"].load.files == 12 + 5  # with the ids of its texts


def test_ten_times_the_texts_are_ten_times_the_rows(project: Project, store: Store) -> None:
    ten = of_card(project, store, {name: 10 * count for name, count in SIZE.items()})
    assert of_card(project, store, times=10) == ten
    assert ten.store.tokens == pytest.approx(40 * CHARACTERS / 4.2)
    assert to_do(ten)["segment"] == (25 + 12, 25 + 12)


def test_ten_times_a_finished_store_has_nothing_of_it_yet(sample_run: Run) -> None:
    one, ten = (estimate(Plan(sample_run.settings, sample_run.store), times=times) for times in (1, 10))
    assert ten.store.to_do == ten.store.units
    assert ten.rate.origin == "published"
    assert ten.cache_bytes == pytest.approx(10 * one.cache_bytes)


@pytest.fixture
def xquad_settings(project: Project, xquad: Path) -> Settings:
    project.card("questions", format="squad", files=[str(xquad / "en.json.gz")], licence="CC-BY-SA-4.0")
    return project.settings(languages=["de"], cleaning={"shard_rows": 100}, translation={"shard_sentences": 300})


def test_what_is_computed_is_near_to_what_comes_of_it(xquad_settings: Settings, store: Store) -> None:
    prepare(xquad_settings, store)
    before = by_name(estimate(Plan(xquad_settings, store)))
    assert (before["prepare"].load.to_do, before["segment"].load.to_do) == (0, 15)
    translate(xquad_settings, store)
    after = by_name(estimate(Plan(xquad_settings, store)))
    assert (after["segment"].load.units, after["translate deu_Latn"].load.to_do) == (15, 0)
    assert before["translate deu_Latn"].load.units == pytest.approx(after["translate deu_Latn"].load.units, rel=0.2)
    assert before["segment"].load.bytes == pytest.approx(after["segment"].load.bytes, rel=0.2)
    assert before["segment"].load.files == pytest.approx(after["segment"].load.files, abs=3)
