"""One plan for a run: what it reads, and what it can do without."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import STAGES, Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import Settings, load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import segment
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.work import Outcome, run_here, run_step
from tests.counting_store import CountingStore
from tests.family_checkpoints import madlad
from tests.instant_engine import Asked, start_anew, use_instant_engine
from tests.loopback_hub import LoopbackHub
from tests.project import Project, article

ALDO = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")
HINTU = article("The river Hintu is 122 kilometres long.", ("How long is the river Hintu in Velu?", "122"), title="Hintu")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return use_instant_engine(monkeypatch)


def write_rivers(project: Project, count: int = 40) -> None:
    rivers = [f"The river Aldo is {number} kilometres long. It flows to the sea." for number in range(100, 100 + count)]
    project.source("questions", [article(text, (f"What is known of {number}?", "Aldo")) for number, text in enumerate(rivers)])


def many_units(project: Project, **changes: object) -> Settings:
    return project.settings(cleaning={"shard_rows": 8, "language": False}, translation={"shard_sentences": 20}, **changes)


def run_all(settings: Settings, store: Store) -> Outcome:
    return prepare(settings, store) + translate(settings, store) + filter_texts(settings, store)


def test_a_finished_run_is_planned_with_one_read_a_record_and_one_listing_a_folder(project: Project, tmp_path: Path) -> None:
    write_rivers(project)
    settings = many_units(project)
    store = CountingStore(str(tmp_path / "store"))
    made = run_all(settings, store)
    publish(settings, store)
    records = {path for path in store.walk("") if path.endswith("/record.json")}
    assert made.done == len(records) - len(list(store.finished_units("translated")))  # a unit of the way back makes the way there
    store.count_anew()
    plan = Plan(settings, store)
    outcome = Outcome()
    for stage in STAGES:
        for step in plan.steps(stage):
            outcome += run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))
    assert not publish(settings, store, plan=plan).new
    assert outcome == Outcome(skipped=made.done)
    assert set(store.records_read) <= records and set(store.records_read.values()) == {1}
    assert set(store.listed.values()) == {1}
    folders = {"english", "segments", "repeated", "translated", "back_translated", "scored", "compared"}
    assert {path.split("/")[0] for path in store.listed} == folders
    assert [path for path in store.files_read if path.endswith(".parquet")] == []


def test_a_run_with_one_plan_reads_each_record_once_too(project: Project, tmp_path: Path) -> None:
    """Beside what a unit reads of its inputs and of its own, which it does wherever it is done."""
    write_rivers(project)
    settings = many_units(project, languages=["de"])
    store = CountingStore(str(tmp_path / "store"))
    plan = Plan(settings, store)
    for stage in STAGES:
        for step in plan.steps(stage):
            held = plan.inventory.missing(step.units)
            store.count_anew()
            run_step(step, (1, 1), plan.inventory, lambda step, units: None)
            assert (store.records_read, store.listed) == ({}, {}) and len(held) == len(step.units)
            run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))
    assert Plan(settings, store).inventory.missing([*plan.scored, *plan.compared]) == []


def test_later_stages_need_no_file_of_a_source(project: Project, store: Store) -> None:
    project.source("questions", [ALDO])
    settings = project.settings()
    prepare(settings, store)
    (project.folder / "questions.json").unlink()
    assert translate(settings, store) == Outcome(done=2 + 2)
    assert filter_texts(settings, store) == Outcome(done=4 + 2)
    assert publish(settings, store).new
    plan = Plan(settings, store)
    assert plan.inventory.missing([*plan.english, *plan.scored]) == []


def test_without_a_word_of_the_stage_that_prepares_the_files_say_what_a_source_is(project: Project, store: Store) -> None:
    """As in stores of older versions."""
    project.source("questions", [ALDO])
    settings = project.settings()
    run_all(settings, store)
    store.remove_folder("facts")
    assert translate(settings, store).done == 0
    store.remove_folder("facts")
    (project.folder / "questions.json").unlink()
    with pytest.raises(UserError, match="english/questions has not been made with these settings"):
        translate(settings, store)


def test_later_stages_need_no_server(project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.source("questions", [ALDO])
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(project.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/questions.json"
        project.card("questions", format="squad", files=[address], licence="MIT")
        settings = project.settings()
        assert prepare(settings, store) == Outcome(done=1)
        server.shutdown()
    shutil.rmtree(tmp_path / "cache")
    assert translate(settings, store) == Outcome(done=2 + 2)
    assert filter_texts(settings, store) == Outcome(done=4 + 2)
    assert publish(settings, store).new


def test_later_stages_need_no_hub(project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, served = "1" * 40, tmp_path / "served"
    served.mkdir()
    row = {"id": "7", "question": "How long is the river Aldo in Velu?", "passage": "The river Aldo is 740 kilometres long."}
    (served / "rows.jsonl").write_text(json.dumps(row) + "\n")
    hub = LoopbackHub({"datasets/some/rivers": (commit, served)})
    with hub.serve():
        hub.stand_in(monkeypatch, tmp_path)
        mapping = {"id": "id", "query": "question", "passage": "passage"}
        repository = {"repository": "some/rivers", "revision": commit}
        project.card("questions", hub=repository, files=["rows.jsonl"], rows=mapping, licence="MIT")
        settings = project.settings()
        assert prepare(settings, store) == Outcome(done=1)
    asked = len(hub.requests)
    assert asked > 0
    for folder in ("cache", "huggingface"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    assert translate(settings, store) == Outcome(done=2 + 2)
    assert filter_texts(settings, store) == Outcome(done=4 + 2)
    assert publish(settings, store).manifest["rows"]["pairs"] == 1
    assert len(hub.requests) == asked


def test_once_translated_no_model_is_needed(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    project.source("questions", [ALDO])
    shutil.copytree(SAMPLE, project.folder / "mine")
    settings = project.settings(translation={"model": "mine"})
    prepare(settings, store)
    translate(settings, store)
    used = Plan(settings, store).model
    shutil.rmtree(project.folder / "mine")
    start_anew(monkeypatch)
    assert filter_texts(settings, store).done == 4 + 2
    release = publish(settings, store)
    assert release.manifest["model"]["fingerprint"] == used.fingerprint == Plan(settings, store).model.fingerprint
    with pytest.raises(UserError, match="translation"):
        translate(settings, store)


def test_a_model_that_is_not_here_and_translated_nothing_is_named(project: Project, store: Store) -> None:
    project.source("questions", [ALDO])
    settings = project.settings(translation={"model": "./mine"})
    prepare(settings, store)
    for unit in chain.from_iterable(Plan(settings, store).segmented.values()):
        segment.do(settings, store, unit, LogProgress())
    with pytest.raises(UserError, match=r"'\./mine' is not on this machine, and nothing was translated with it here yet"):
        filter_texts(settings, store)


def test_later_stages_follow_a_source_that_was_prepared_again(project: Project, store: Store, asked: Asked) -> None:
    project.source("questions", [ALDO])
    settings = project.settings(languages=["de"])
    run_all(settings, store)
    first = publish(settings, store)
    project.source("questions", [ALDO, HINTU])
    assert translate(settings, store).done == 0  # of what was prepared last
    assert publish(settings, store) == type(first)(first.path, False, first.manifest)
    asked.clear()
    assert prepare(settings, store) == Outcome(done=1)
    assert translate(settings, store) == Outcome(done=3)
    texts = {"Hintu", "The river Hintu is 122 kilometres long.", "How long is the river Hintu in Velu?"}
    assert {text for source, _, text in asked if source == "eng_Latn"} == texts
    assert filter_texts(settings, store) == Outcome(done=4)
    second = publish(settings, store)
    assert (second.new, second.manifest["rows"]["pairs"]) == (True, 2)
    project.source("questions", [ALDO])  # and back: nothing is to do, but to say so
    assert prepare(settings, store) == Outcome(skipped=1)
    assert publish(settings, store).path == first.path


def test_two_runs_that_share_a_store_do_not_change_what_the_other_prepared(tmp_path: Path, store: Store) -> None:
    runs = {}
    for name, articles in (("one", [ALDO]), ("two", [HINTU])):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.source("questions", articles)
        runs[name] = project.settings(name=name)
        prepare(runs[name], store)
    for name, title in (("one", "Aldo"), ("two", "Hintu")):
        [record] = Plan(runs[name], store).english_records().values()
        assert store.read_tables(record, "passages")["title"].to_pylist() == [title]


def write_parallel(project: Project, german: dict[str, str]) -> None:
    """A source with German texts of its own."""
    files = {
        "english_passages": {"0": "The river Aldo is 740 kilometres long.", "1": "The river Hintu is 122 kilometres long."},
        "german_passages": german,
        "english_queries": {"7": "How long is the river Aldo?", "8": "How long is the river Hintu?"},
        "german_queries": {"7": "Wie lang ist der Fluss Aldo?", "8": "Wie lang ist der Fluss Hintu?"},
        "links": {"7": "0", "8": "1"},
    }
    for name, rows in files.items():
        (project.folder / f"{name}.tsv").write_text("".join(f"{key}\t{text}\n" for key, text in rows.items()))
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["english_queries.tsv"], **table},
        passages={"files": ["english_passages.tsv"], **table},
        links={"files": ["links.tsv"], "columns": ["q", "p"], "quotes": False, "query": "q", "passage": "p"},
        translations={"queries": "{}_queries.tsv", "passages": "{}_passages.tsv", "languages": {"de": "german"}},
    )


def test_a_changed_file_of_translations_makes_its_import_anew(project: Project, store: Store) -> None:
    german = {"0": "Der Fluss Aldo ist 740 Kilometer lang.", "1": "Der Fluss Hintu ist 122 Kilometer lang."}
    write_parallel(project, german)
    settings = project.settings(languages=["de"])
    assert prepare(settings, store) == Outcome(done=2)
    assert translate(settings, store) == Outcome(done=2 + 1)
    write_parallel(project, german | {"1": "Der Hintu ist 122 Kilometer lang."})
    assert prepare(settings, store) == Outcome(done=1, skipped=1)
    assert translate(settings, store) == Outcome(done=1 + 1, skipped=1)  # the shard of passages, and the pack
    [unit] = Plan(settings, store).imported
    texts = store.read_tables(unit.result(store), "passages")["text"].to_pylist()
    assert texts == ["Der Fluss Aldo ist 740 Kilometer lang.", "Der Hintu ist 122 Kilometer lang."]
    for path in project.folder.glob("*.tsv"):
        path.unlink()
    assert filter_texts(settings, store) == Outcome(done=2 + 2)
    assert publish(settings, store).new


def test_a_stage_before_its_time_is_refused(project: Project, store: Store) -> None:
    project.source("questions", [ALDO])
    settings = project.settings()
    stages: list[Callable[[Settings, Store], object]] = [translate, filter_texts, publish]
    for stage in stages:
        with pytest.raises(UserError, match=r"english/questions has not been made with these settings: run the earlier stages first"):
            stage(settings, store)
    prepare(settings, store)
    with pytest.raises(UserError, match=r"segments/eng_Latn/questions/queries/00000 has not been made with these settings"):
        filter_texts(settings, store)
    translate(settings, store)
    with pytest.raises(UserError, match=r"scored/deu_Latn/questions/queries/00000 has not been made with these settings"):
        publish(settings, store)


def test_a_deleted_unit_is_made_again_with_what_is_made_of_it(project: Project, store: Store, asked: Asked) -> None:
    project.source("questions", [ALDO])
    settings = project.settings()
    run_all(settings, store)
    [unit] = Plan(settings, store).translated["questions", "deu_Latn"]
    before = unit.inputs["translated"].result(store).checksum
    store.remove_folder(f"{unit.inputs['translated'].path}/{unit.inputs['translated'].fingerprint}")
    with pytest.raises(UserError, match=r"back_translated/deu_Latn/questions/00000 has not been made"):
        filter_texts(settings, store)
    assert translate(settings, store) == Outcome(done=1, skipped=3)
    assert unit.inputs["translated"].result(store).checksum == before
    assert filter_texts(settings, store) == Outcome(skipped=6)


def test_a_profile_that_is_loaded_again_has_the_same_plan(project: Project, store: Store) -> None:
    project.source("questions", [ALDO])
    settings = project.settings()
    run_all(settings, store)
    again = load_settings(str(project.folder / "profile.yaml"))
    assert [unit.fingerprint for unit in Plan(again, store).scored] == [unit.fingerprint for unit in Plan(settings, store).scored]


def test_a_model_tells_its_licence_once_it_is_converted_and_the_store_remembers(
    project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.source("questions", [ALDO])
    repository, commit = "google/madlad400-3b-mt", "a" * 40
    settings = project.settings(languages=["de"], translation={"model": repository, "revision": commit})
    with LoopbackHub({repository: (commit, madlad(tmp_path / "checkpoint"))}).serve() as server:
        server.stand_in(monkeypatch, tmp_path)
        prepare(settings, store)
        plan = Plan(settings, store)
        assert plan.model.licence is None
        for step in plan.steps("translate"):
            run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory))
        assert plan.model.licence == "Apache-2.0"
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "another machine"))
    assert translate(settings, store).done == 0
    assert Plan(settings, store).model.licence == "Apache-2.0"
