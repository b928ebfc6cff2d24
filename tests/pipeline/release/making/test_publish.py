from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
import yaml

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.planning.candidate_facts import candidate_facts
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making import publish as publishing
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import FilterSettings
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.project import Project, article

LANGUAGES = ["eng_Latn", "deu_Latn", "arb_Arab", "zho_Hans"]


def table(run: Run, name: str) -> list[dict[str, object]]:
    return [row for file in sorted((run.folder / name).rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def expected_reasons(run: Run) -> dict[tuple[str, str], dict[str, str | None]]:
    """By language and table, why the policy rejects each text, by its id."""
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    for shard in Plan(run.settings, run.store).scored_shards:
        _, code, name = shard.key
        scored = shard.read(run.store)
        reasons = policy.reasons(scored, shard.english(run.store), run.settings.filters.of(code, name))
        found.setdefault((code, name), {}).update(zip(scored["id"].to_pylist(), reasons, strict=True))
    return found


def test_rows_line_up_in_every_language_and_rejected_texts_are_null(sample_run: Run) -> None:
    reasons = expected_reasons(sample_run)
    for name in ("queries", "passages"):
        english = table(sample_run, f"{name}/eng_Latn")
        assert all(row["text"] and row["reject_reason"] is None for row in english)
        for code in LANGUAGES[1:]:
            rows = table(sample_run, f"{name}/{code}")
            assert [row["id"] for row in rows] == [row["id"] for row in english]
            assert {row["id"]: row["reject_reason"] for row in rows} == reasons[code, name]
            assert all((row["text"] is None) == (row["reject_reason"] is not None) for row in rows)
            assert all(row["chrf"] is not None for row in rows)


def test_pairs_say_where_both_sides_survived(sample_run: Run) -> None:
    texts = {(name, code): table(sample_run, f"{name}/{code}") for name in ("queries", "passages") for code in LANGUAGES}
    pairs = table(sample_run, "pairs")
    for pair in pairs:
        for bit, code in enumerate(LANGUAGES):
            assert (pair["query_langs"] >> bit & 1) == (texts[("queries", code)][pair["query_row"]]["text"] is not None)
            assert (pair["passage_langs"] >> bit & 1) == (texts[("passages", code)][pair["passage_row"]]["text"] is not None)
    assert {pair["source"] for pair in pairs} == {"questions"}
    assert len({pair["source_id"] for pair in pairs}) == len(pairs)


def test_a_lost_answer_takes_its_pair_and_not_the_passage(sample_run: Run) -> None:
    off = {rule.setting: False if rule.is_switch(FilterSettings()) else None for rule in policy.RULES}
    any_answer, least = (
        publish(sample_run.settings.model_copy(update={"filters": FilterSettings(**off, min_answers=value)}), sample_run.store)
        for value in (None, 95)
    )
    loose, strict = (Path(sample_run.store.local_path(release.path)) for release in (any_answer, least))
    lost = 0
    for pair, as_usual in zip(*(pq.read_table(folder / "pairs").to_pylist() for folder in (strict, loose)), strict=True):
        scores = pair["answer_scores"] or [None] * len(LANGUAGES[1:])
        bits = sum(2**bit for bit, score in enumerate(scores, 1) if score is not None and score < 95) & as_usual["passage_langs"]
        assert pair == as_usual | {"passage_langs": as_usual["passage_langs"] - bits}
        lost += bits > 0
    assert lost > 0
    for code in LANGUAGES[1:]:
        assert pq.read_table(strict / f"passages/{code}") == pq.read_table(loose / f"passages/{code}")
        before, after = (made.manifest["sources"]["questions"]["languages"][code]["pairs"] for made in (any_answer, least))
        assert after["kept"] == before["kept"] - after["rejected"]["lost_answer"]
    assert not list(verify(Store(str(strict), writable=False)))
    publish(sample_run.settings, sample_run.store)  # the latest again


def test_the_manifest_adds_up(sample_run: Run) -> None:
    manifest = json.loads((sample_run.folder / "manifest.json").read_text(encoding="utf-8"))
    facts = manifest["sources"]["questions"]
    rows = facts["rows"]
    assert rows["read"] == rows["kept"] + sum(rows["rejected"].values())
    assert rows["kept"] == manifest["rows"]["pairs"] == len(table(sample_run, "pairs"))
    assert rows["rejected"] == {
        "duplicate": 1,
        "empty_passage": 1,
        "empty_query": 1,
        "evaluation_passage": 19,  # one is the same; the others are from the same templates and have much in common with one
        "evaluation_query": 1,
        "query_without_words": 1,
    }
    evaluation = manifest["evaluation"]
    assert [(entry["name"], entry["queries"], entry["passages"]) for entry in evaluation["sets"]] == [("sample-evaluation", 47, 12)]
    assert evaluation["rows_set_aside"] == {"questions": {"evaluation_passage": 19, "evaluation_query": 1}}
    assert evaluation["rules"]["passage"]["run"] == 5
    for counts in facts["languages"].values():
        for name in ("queries", "passages", "pairs"):
            assert counts[name]["read"] == counts[name]["kept"] + sum(counts[name]["rejected"].values()) == manifest["rows"][name]
    for code in LANGUAGES[1:]:
        kept = sum(pair["query_langs"] & pair["passage_langs"] & 1 << LANGUAGES.index(code) != 0 for pair in table(sample_run, "pairs"))
        assert kept == facts["languages"][code]["pairs"]["kept"]
    for name, file in manifest["files"].items():
        content = (sample_run.folder / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"])
    found = {str(path.relative_to(sample_run.folder)) for path in sample_run.folder.rglob("*") if path.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    assert str(sample_run.settings.folder) not in (sample_run.folder / "manifest.json").read_text(encoding="utf-8")


def test_datasets_reads_every_configuration_of_the_card(sample_run: Run, tmp_path: Path) -> None:
    front = yaml.safe_load((sample_run.folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    names = [config["config_name"] for config in front["configs"]]
    texts = [f"{name}-{code}" for name in ("queries", "passages") for code in LANGUAGES]
    assert names == ["pairs", *texts, *(f"rejected-{code}" for code in LANGUAGES[1:])]
    for name in names:
        loaded = datasets.load_dataset(str(sample_run.folder), name, split="train", cache_dir=str(tmp_path))
        assert loaded.num_rows == len(table(sample_run, name.replace("-", "/", 1)))
    streamed = datasets.load_dataset(str(sample_run.folder), "queries-deu_Latn", split="train", streaming=True)
    assert next(iter(streamed)) == table(sample_run, "queries/deu_Latn")[0]


def test_the_card_names_licence_counts_and_an_example(sample_run: Run) -> None:
    card = (sample_run.folder / "README.md").read_text(encoding="utf-8")
    assert "| source questions | CC0-1.0 |" in card
    assert "| model sample | Apache-2.0 |" in card
    assert "Apache-2.0 AND CC0-1.0" in card
    assert "sample-evaluation" in card
    pairs = sample_run.release.manifest["sources"]["questions"]["languages"]["deu_Latn"]["pairs"]
    assert f"| {pairs['kept']} / {pairs['read']} |" in card
    assert "| German |" in card


def test_the_same_run_elsewhere_gives_the_same_bytes(project: Project, tmp_path: Path) -> None:
    project.source("questions", [article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"))])
    settings = project.settings()
    folders = []
    for name in ("one", "two"):
        store = Store(str(tmp_path / name))
        for stage in (prepare, translate, filter_texts):
            stage(settings, store)
        release = publish(settings, store)
        assert release.new
        folders.append(Path(store.root) / release.path)
    files = [{str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} for folder in folders]
    assert files[0] == files[1]
    assert folders[0].name == folders[1].name


def test_publishing_again_changes_nothing_and_a_threshold_makes_a_new_release(sample_run: Run) -> None:
    again = publish(sample_run.settings, sample_run.store)
    assert not again.new
    assert again.manifest == json.loads((sample_run.folder / "manifest.json").read_text(encoding="utf-8"))
    strict = sample_run.settings.model_copy(update={"filters": FilterSettings(min_chrf=99)})
    other = publish(strict, sample_run.store)
    assert other.new
    assert other.path != sample_run.release.path
    assert (sample_run.folder / "manifest.json").is_file()
    latest = json.loads(sample_run.store.read("releases/latest.json"))["version"]
    assert f"releases/{latest}" == other.path
    assert publish(sample_run.settings, sample_run.store).path == sample_run.release.path
    assert open_release(sample_run.store.root).manifest["version"] == sample_run.release.manifest["version"]


def test_a_text_of_two_sources_is_one_row(project: Project, store: Store) -> None:
    shared = "The river Aldo is 740 kilometres long."
    project.source("questions", [article(shared, ("How long is the river Aldo in Velu?", "740"))])
    project.source("more", [article("The river Hintu is 122 kilometres long.", ("How long is the river Hintu in Velu?", "122")),
                            article(shared, ("How long is the river Aldo in Orso?", "740"))])  # fmt: skip
    lenient = {"min_round_trip": None, "min_round_trip_short": None}
    settings = project.settings(sources=["./questions.md", "./more.md"], languages=["de"], filters=lenient)
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    release = publish(settings, store)
    folder = Path(store.root) / release.path
    passages = pq.read_table(folder / "passages/eng_Latn/00000.parquet").to_pylist()
    assert {(row["text"], row["source"]) for row in passages} == {
        (shared, "questions"),
        ("The river Hintu is 122 kilometres long.", "more"),
    }
    assert len(passages) == 2
    queries = pq.read_table(folder / "queries/eng_Latn/00000.parquet")["text"].to_pylist()
    pairs = pq.read_table(folder / "pairs/00000.parquet").to_pylist()
    assert {(pair["source"], queries[pair["query_row"]], passages[pair["passage_row"]]["text"][:15]) for pair in pairs} == {
        ("questions", "How long is the river Aldo in Velu?", "The river Aldo "),
        ("more", "How long is the river Hintu in Velu?", "The river Hintu"),
        ("more", "How long is the river Aldo in Orso?", "The river Aldo "),
    }
    more = release.manifest["sources"]["more"]
    assert (more["provided"], more["shared"]) == ({"queries": 2, "passages": 1, "pairs": 2}, {"queries": 0, "passages": 1, "pairs": 0})


def test_a_source_that_stays_english_provides_what_no_translated_one_has(project: Project, store: Store) -> None:
    shared = "The river Aldo is 740 kilometres long."
    project.source("plain", [article("The river Hintu is 122 kilometres long.", ("How long is the river Hintu in Velu?", "122")),
                             article(shared, ("How long is the river Aldo in Orso?", "740"))], languages=[])  # fmt: skip
    project.source("questions", [article(shared, ("How long is the river Aldo in Velu?", "740"))])
    lenient = {"min_round_trip": None, "min_round_trip_short": None}
    mined = {"mined_negatives": 1}
    settings = project.settings(sources=["./plain.md", "./questions.md"], languages=["de"], filters=lenient, release=mined)
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    release = publish(settings, store)
    folder = Path(store.root) / release.path
    assert [str(fault) for fault in verify(Store(str(folder), writable=False))] == []
    german = {row["id"]: row for row in pq.read_table(folder / "passages/deu_Latn").to_pylist()}
    english = {row["text"]: german[row["id"]] for row in pq.read_table(folder / "passages/eng_Latn").to_pylist()}
    assert english[shared]["source"] == "questions" and english[shared]["text"] is not None
    assert {text: row["reject_reason"] for text, row in english.items()} == {
        shared: None,
        "The river Hintu is 122 kilometres long.": "not_translated",
    }
    assert release.manifest["sources"]["plain"]["not_translated"] == ["deu_Latn"]
    negatives = pq.read_table(folder / "pairs")["negative_rows"].to_pylist()
    assert len(negatives) == 3 and all(len(rows) == 1 for rows in negatives)


def test_a_release_that_fails_half_way_is_not_there(sample_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sample_run.store.names("releases")
    monkeypatch.setattr(publishing, "dataset_card", lambda *arguments: 1 / 0)
    strict = sample_run.settings.model_copy(update={"filters": FilterSettings(min_chrf=98)})
    with pytest.raises(ZeroDivisionError):
        publish(strict, sample_run.store)
    assert sample_run.store.names("releases") == before


def test_a_release_whose_writer_is_killed_is_not_there(project: Project, store: Store) -> None:
    project.source("questions", [article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"))])
    settings = project.settings()
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    script = (
        "import os, signal, sys\nfrom parallel_qa.pipeline.release.making import publish as p\n"
        "from parallel_qa.pipeline.settings import load_settings\n"
        "from parallel_qa.pipeline.store import Store\np.dataset_card = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "p.publish(load_settings(sys.argv[1]), Store(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, str(project.folder / "profile.yaml"), store.root]
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode == -9
    assert [name for name in store.names("releases") if not name.startswith(".")] == []
    release = publish(settings, store)
    assert release.new
    assert store.names("releases") == ["latest.json", release.path.removeprefix("releases/")]


def test_a_model_without_a_licence_stops_the_release(project: Project, store: Store, tmp_path: Path) -> None:
    import shutil

    from parallel_qa.pipeline.translation.model_finding import SAMPLE

    shutil.copytree(SAMPLE, tmp_path / "bare", ignore=shutil.ignore_patterns("model.json"))
    project.source("questions", [article("The river Aldo is 740 kilometres long.", ("How long is the river Aldo in Velu?", "740"))])
    settings = project.settings(translation={"model": str(tmp_path / "bare")})
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    with pytest.raises(UserError, match=r"the licence of model 'bare' is unknown: set translation\.licence in the profile"):
        publish(settings, store)
    named = project.settings(translation={"model": str(tmp_path / "bare"), "licence": "MIT"})
    assert publish(named, store).manifest["licence"] == "CC0-1.0 AND MIT"


def test_every_rejected_text_stays_with_its_scores_and_all_reasons(sample_run: Run) -> None:
    manifest = sample_run.release.manifest
    for code in LANGUAGES[1:]:
        rejected = table(sample_run, f"rejected/{code}")
        assert len(rejected) == manifest["rejected"][code]
        released = {name: table(sample_run, f"{name}/{code}") for name in ("queries", "passages")}
        fallen = [(name, row) for name, rows in released.items() for row, text in enumerate(rows) if text["reject_reason"]]
        assert sorted((row["table"], row["row"]) for row in rejected) == sorted(fallen)
        for row in rejected:
            beside = released[row["table"]][row["row"]]
            assert row["reasons"][0] == beside["reject_reason"] and beside["text"] is None
            assert row["text"] and row["back_translation"] and row["id"] == beside["id"]
            assert {name: row[name] for name in schema.SCORES.names} == {name: beside[name] for name in schema.SCORES.names}
        counts = manifest["sources"]["questions"]["languages"][code]
        assert len(rejected) == sum(sum(counts[name]["rejected"].values()) for name in ("queries", "passages"))


def test_the_manifest_says_what_decoding_among_candidates_changed(project: Project, tmp_path: Path) -> None:
    towns = [
        article(f"The river Aldo is {number} kilometres long.", (f"How long is Aldo in Town{number}?", "Aldo")) for number in range(60)
    ]
    project.source("questions", towns)
    candidates = {"lessons": 40, "worth_from": 1, "checked_share": 0.5}
    settings = project.settings(languages=["de"], translation={"shard_sentences": 20, "candidates": candidates})
    store = Store(str(tmp_path / "store"))
    prepare(settings, store)
    translate(settings, store)
    filter_texts(settings, store)
    release = publish(settings, store)
    assert release.manifest["candidates"] == candidate_facts(Plan(settings, store))
    assert release.manifest["candidates"]["deu_Latn"]["checked"] > 10
    assert list(verify(Store(store.local_path(release.path), writable=False))) == []
