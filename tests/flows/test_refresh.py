from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client

from parallel_qa.flows.filter import filter_texts
from parallel_qa.flows.prepare import prepare
from parallel_qa.flows.publish import publish
from parallel_qa.flows.refresh import refresh
from parallel_qa.flows.translate import translate
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.making.publish import publish as publish_stage
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome
from tests.project import Project, article

ALDO = article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"), title="Aldo")
HINTU = article("The river Hintu is 122 kilometres long.", ("How long is the river Hintu in Velu?", "122"), title="Hintu")

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_refresh_runs_all_stages_and_then_only_what_is_new(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO])
    profile, store = str(project.profile()), str(tmp_path / "store")
    first = refresh(profile, store)
    # one source, its two tables split; for each of two languages a translation and two tables of scores; each table compared
    assert first.outcome == Outcome(done=1 + 2 + 2 + 4 + 2)
    assert first.release.new
    second = refresh(profile, store)
    assert second.outcome == Outcome(skipped=11)
    assert second.release == publish_stage(project.settings(), Store(store))
    assert not second.release.new
    third = refresh(str(project.profile(languages=["de", "ar", "es"])), store)
    assert third.outcome == Outcome(done=3 + 2, skipped=9)
    assert third.release.path != first.release.path


def test_a_device_that_is_not_here_is_said_before_a_source_is_read(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO])
    profile = str(project.profile(translation={"gpus": [99]}))
    for flow in (refresh, translate):
        with pytest.raises(UserError, match=r"translation\.gpus: GPU 99 is not to be had here"):
            flow(profile, str(tmp_path / "store"))
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_refresh_in_processes_makes_the_same_release(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO, HINTU])
    profile = str(project.profile(languages=["de"]))
    here, there = (refresh(profile, str(tmp_path / runner), runner) for runner in ("threads", "processes"))
    assert here == there
    assert not refresh(profile, str(tmp_path / "processes"), "processes").release.new
    with pytest.raises(UserError, match="runner: 'spark' is none of threads, processes, dask, ray"):
        refresh(profile, str(tmp_path / "none"), "spark")
    assert list((tmp_path / "none").iterdir()) == []


def test_each_stage_is_a_flow_of_its_own_and_gives_what_refresh_gives(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO, HINTU])
    profile = str(project.profile())
    apart, together = str(tmp_path / "apart"), str(tmp_path / "together")
    prepare(profile, apart)
    translate(profile, apart)
    filter_texts(profile, apart)
    release = publish(profile, apart)
    assert release == refresh(profile, together).release
    for name in release.manifest["files"]:
        assert (Path(apart) / release.path / name).read_bytes() == (Path(together) / release.path / name).read_bytes()


def test_a_stage_before_its_time_fails_without_retries(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO])
    with pytest.raises(UserError, match="run the earlier stages first"):
        filter_texts(str(project.profile()), str(tmp_path / "store"))


def test_progress_and_counts_are_artifacts(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO, HINTU])
    release = refresh(str(project.profile(languages=["tr"])), str(tmp_path / "store")).release
    with get_client(sync_client=True) as client:
        artifacts = client.request("POST", "/artifacts/filter", json={"sort": "CREATED_DESC"}).json()
    kept = next(artifact for artifact in artifacts if artifact["key"] == "kept")
    counts = release.manifest["sources"]["questions"]["languages"]["tur_Latn"]["pairs"]
    assert json.loads(kept["data"]) == [{"source": "questions", "language": "tur_Latn", "read": counts["read"], "kept": counts["kept"]}]
    progress = [artifact for artifact in artifacts if artifact["type"] == "progress"]
    assert {artifact["description"].split(":")[0] for artifact in progress[:5]} == {"prepare", "segment", "translate", "filter", "compare"}
    assert all(artifact["data"] == 100.0 for artifact in progress[:5])


def test_a_corrupt_shard_stops_the_run_and_deleting_its_folder_mends_it(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO])
    profile, store = str(project.profile()), tmp_path / "store"
    good = refresh(profile, str(store)).release
    damaged = min(store.glob("translated/deu_Latn/questions/00000/*/queries/*/*.parquet"))
    damaged.write_bytes(b"PAR1 rubbish")
    for scored in store.glob("scored/deu_Latn/**/record.json"):
        scored.unlink()
    with pytest.raises(UserError, match=r"queries/00000/00000-[0-9a-f]{8}\.parquet is damaged .*: delete its folder and run again"):
        refresh(profile, str(store))
    shutil.rmtree(damaged.parent.parent.parent)
    again = refresh(profile, str(store)).release
    assert again == type(good)(good.path, False, again.manifest)
    assert pq.read_table(damaged).num_rows == 1


def test_filtering_in_processes_makes_the_same_scores(project: Project, tmp_path: Path) -> None:
    project.source("questions", [ALDO, HINTU])
    profile = str(project.profile())
    stores = [Store(str(tmp_path / name)) for name in ("threads", "processes")]
    for store in stores:
        prepare(profile, store.url)
        translate(profile, store.url)
        assert filter_texts(profile, store.url, store.url.rsplit("/", 1)[-1]) == Outcome(done=6)
    first, second = ({record.path: record.checksum for record in store.records("scored")} for store in stores)
    assert first == second and len(first) == 4
    assert filter_texts(profile, stores[1].url) == Outcome(skipped=6)
    with pytest.raises(UserError, match="runner: 'spark' is none of"):
        filter_texts(profile, stores[1].url, "spark")
