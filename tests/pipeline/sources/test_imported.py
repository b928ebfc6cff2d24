"""A source that is parallel already, through all stages: its own translations, checked and never made again."""

from __future__ import annotations

import pytest

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store
from tests.project import Project

ENGLISH = {
    "0": "The river Aldo is 740 kilometres long.",
    "1": "The river Aldo flows into the sea near Velu.",
    "2": "The river Aldo freezes every winter.",
}
GERMAN = {"1": ". . . . . . . .", "0": "Der Fluss Aldo ist 740 Kilometer lang."}  # in another order, one of dots, one missing
LATER_GERMAN = "Der Fluss Aldo ist lang."  # a second text with the id 0


@pytest.fixture
def settings(project: Project) -> Settings:
    folder = project.folder
    for name, texts in (("english", ENGLISH), ("german", GERMAN)):
        (folder / f"{name}_passages.tsv").write_text("".join(f"{key}\t{text}\n" for key, text in texts.items()))
    with (folder / "german_passages.tsv").open("a") as file:
        file.write(f"0\t{LATER_GERMAN}\n")
    (folder / "english_queries.tsv").write_text("7\tHow long is the river Aldo?\n8\tWhere does the river Aldo end?\n")
    (folder / "german_queries.tsv").write_text("8\tWo endet der Fluss Aldo?\nbroken line\n7\tWie lang ist der Fluss Aldo?\n")
    (folder / "triples.tsv").write_text("7\t0\t2\n8\t1\t2\n")
    table = {"columns": ["_id", "text"], "quotes": False}
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["english_queries.tsv"], **table},
        passages={"files": ["english_passages.tsv"], **table},
        links={"files": ["triples.tsv"], "columns": ["q", "p", "n"], "quotes": False, "query": "q", "passage": "p", "negative": "n"},
        translations={"queries": "{}_queries.tsv", "passages": "{}_passages.tsv", "languages": {"de": "german"}},
    )
    return project.settings(languages=["de", "es"])


def test_texts_are_joined_by_id(settings: Settings, store: Store) -> None:
    prepare(settings, store)
    plan = Plan(settings, store)
    [english] = plan.inventory.records(plan.english)
    assert store.read_tables(english, "passages")["text"].to_pylist() == [ENGLISH["0"], ENGLISH["2"], ENGLISH["1"]]
    assert store.read_tables(english, "pairs")["negative_rows"].to_pylist() == [[1], [1]]
    assert [unit.language for unit in plan.imported] == ["deu_Latn"]  # Spanish is a language of the run, and none of the source
    [german] = plan.inventory.records(plan.imported)
    assert store.read_tables(german, "passages")["text"].to_pylist() == [GERMAN["0"], None, GERMAN["1"]]
    assert store.read_tables(german, "queries")["text"].to_pylist() == ["Wie lang ist der Fluss Aldo?", "Wo endet der Fluss Aldo?"]
    assert german.facts["missing"] == {"queries": 0, "passages": 1}


def test_they_are_checked_like_others_and_never_translated(settings: Settings, store: Store) -> None:
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    assert not store.exists("translated")
    assert store.exists("back_translated")
    release = publish(settings, store)
    english, german = (store.read_parquet(f"{release.path}/passages/{code}/00000.parquet").to_pylist() for code in ("eng_Latn", "deu_Latn"))
    assert {source["text"]: (row["text"], row["reject_reason"]) for source, row in zip(english, german, strict=True)} == {
        ENGLISH["0"]: (GERMAN["0"], None),
        ENGLISH["1"]: (None, "repetition"),
        ENGLISH["2"]: (None, "missing"),
    }
    pairs = store.read_parquet(f"{release.path}/pairs/00000.parquet").to_pylist()
    assert [[english[row]["text"] for row in pair["negative_rows"]] for pair in pairs] == [[ENGLISH["2"]]] * 2
    counts = release.manifest["sources"]["questions"]["languages"]["deu_Latn"]["passages"]
    assert counts == {"read": 3, "kept": 1, "rejected": {"missing": 1, "repetition": 1}}
