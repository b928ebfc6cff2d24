"""A source that is parallel already, through all stages: its own translations, checked and never made again."""

from __future__ import annotations

import pytest

from parallel_qa.pipeline.filters.filter import decide, filter_texts
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import imported
from parallel_qa.pipeline.sources.prepare import download, units
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import segment
from parallel_qa.pipeline.translation import translate as translating
from parallel_qa.pipeline.translation.translate import translate
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


def texts(settings: Settings, store: Store, code: str, table: str) -> list[str | None]:
    unit = next(unit for unit in imported.units(settings, store, units(settings)) if unit.language == code)
    return store.read_tables(unit.result(store), table)["text"].to_pylist()


def test_texts_are_joined_by_id(settings: Settings, store: Store) -> None:
    download(settings, store)
    english = units(settings)[0].result(store)
    assert store.read_tables(english, "passages")["text"].to_pylist() == [ENGLISH["0"], ENGLISH["2"], ENGLISH["1"]]
    assert store.read_tables(english, "pairs")["negative_rows"].to_pylist() == [[1], [1]]
    assert texts(settings, store, "deu_Latn", "passages") == [GERMAN["0"], None, GERMAN["1"]]
    assert texts(settings, store, "deu_Latn", "queries") == ["Wie lang ist der Fluss Aldo?", "Wo endet der Fluss Aldo?"]
    assert texts(settings, store, "spa_Latn", "passages") == [None, None, None]


def test_they_are_checked_like_others_and_never_translated(settings: Settings, store: Store) -> None:
    download(settings, store)
    translate(settings, store)
    filter_texts(settings, store)
    planned = translating.units(settings, store)
    assert [unit.inputs.keys() for unit in planned] == [{"sentences"}] * len(planned)
    assert not store.exists("translated")
    assert {unit.language for unit in segment.units(settings, store)} == {"deu_Latn", "spa_Latn"}
    decided = decide(settings, store)
    assert decided[("questions", "deu_Latn", "passages")] == [None, "missing", "repetition"]
    assert decided[("questions", "spa_Latn", "queries")] == ["missing", "missing"]
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
