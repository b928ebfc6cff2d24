"""What was translated before is found again: by whichever unit, in whichever layout."""

from __future__ import annotations

import hashlib
import json
import shutil

import pyarrow as pa
import pytest

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import FileRef, Record, Store, fingerprint, parquet_bytes
from parallel_qa.pipeline.translation.engine import Translation
from parallel_qa.pipeline.translation.memory import Memory, facts_of, reuse_or_translate
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.packs import checksum_of
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.translation.translate import VERSION, decoding_of
from tests.instant_engine import Asked, use_instant_engine
from tests.project import Project, article


def write_table(store: Store, path: str, table: pa.Table) -> FileRef:
    content = parquet_bytes(table)
    store.write(path, content)
    return FileRef(path, hashlib.sha256(content).hexdigest(), len(table))


def made_of(store: Store, number: int, texts: list[str], translations: list[Translation]) -> Record:
    """A unit with the translations of texts."""
    origin = write_table(store, f"segments/{number}/x.parquet", pa.table({"text": texts}))
    path = f"translated/deu_Latn/a/{number:05d}"
    columns = {name: [getattr(translation, name) for translation in translations] for name in schema.TRANSLATIONS.names}
    with store.write_unit(path, "f") as writer:
        writer.write_table("queries/00000/00000.parquet", pa.table(columns, schema=schema.TRANSLATIONS))
        writer.facts.update(facts_of("made", [origin], {"queries/00000/00000.parquet": origin}))
    record = store.record(path, "f")
    assert record is not None
    assert record.facts["pack"] == checksum_of([origin])
    return record


def test_translations_are_found_by_their_texts(store: Store) -> None:
    first = made_of(store, 0, ["a", "b"], [Translation("A", None, -0.5), Translation("B", "cut", None)])
    second = made_of(store, 1, ["c", "a"], [Translation("C"), Translation("other")])
    memory = Memory(store, [first, second])
    assert memory.find(["c", "b", "a", "d", ""]) == {"a": Translation("A", None, -0.5), "b": Translation("B", "cut"), "c": Translation("C")}
    assert Memory(store, []).find(["a"]) == {}


def test_what_was_not_translated_back_hides_nothing(store: Store) -> None:
    first = made_of(store, 0, ["a", "b"], [Translation("", "not_checked"), Translation("B")])
    second = made_of(store, 1, ["a"], [Translation("A")])
    assert Memory(store, [first]).find(["a", "b"]) == {"b": Translation("B")}
    assert Memory(store, [first, second]).find(["a", "b"]) == {"a": Translation("A"), "b": Translation("B")}


def test_translations_whose_origin_was_deleted_are_passed_over(store: Store) -> None:
    first = made_of(store, 0, ["a"], [Translation("A")])
    second = made_of(store, 1, ["b"], [Translation("B")])
    store.remove_folder("segments/0")
    assert Memory(store, [first, second]).find(["a", "b"]) == {"b": Translation("B")}


def test_each_new_text_is_translated_once(store: Store) -> None:
    memory = Memory(store, [made_of(store, 0, ["a"], [Translation("A")])])
    given: list[list[str]] = []

    def translated(texts: list[str]) -> list[Translation]:
        given.append(texts)
        return [Translation(text * 2) for text in texts]

    assert [result.text for result in reuse_or_translate(memory, ["b", "a", "c", "b", "a"], translated)] == ["bb", "A", "cc", "bb", "A"]
    assert given == [["b", "c"]]


def test_whether_a_text_needs_a_model_is_not_for_earlier_runs_to_say(store: Store) -> None:
    memory = Memory(
        store, [made_of(store, 0, ["Yes/No", "Aldo", "a"], [Translation("Yes/No"), Translation("Aldo", None, -0.5), Translation("A")])]
    )
    given: list[str] = []

    def translated(texts: list[str]) -> list[Translation]:
        given.extend(texts)
        return [Translation("Ja/Nein", None, -0.5)]

    assert [result.text for result in reuse_or_translate(memory, ["a", "Aldo", "Yes/No"], translated)] == ["A", "Aldo", "Ja/Nein"]
    assert given == ["Yes/No"]


RIVERS = [f"The river Aldo is {number} kilometres long." for number in range(100, 120)]


def write_older_unit(store: Store, path: str, origin: list[str], texts: list[str], made_with: str) -> list[str]:
    """A unit of translations as version 0.1 wrote it; returns what its record has to say of where it is."""
    table = {
        "text": texts,
        "mark": pa.nulls(len(texts), pa.string()),
        "score": pa.array([-0.25] * len(texts), pa.float32()),
    }
    file = write_table(store, f"{path}/f1/sentences/00000.parquet", pa.table(table))
    facts = {"made_with": made_with, "sentences": "f0", "source": origin, "tokens": 1, "seconds": 0.1}
    files = {"sentences/00000.parquet": {"sha256": file.sha256, "bytes": len(store.read(file.path)), "rows": file.rows}}
    store.write(f"{path}/f1/record.json", json.dumps({"files": files, "facts": facts}).encode())
    return [path, "f1", "sentences/00000.parquet"]


def write_older_store(settings: Settings, store: Store, sentences: list[str], size: int) -> None:
    """All sentences of a source, and their translations there and back, as version 0.1 wrote them."""
    parts = [sentences[start : start + size] for start in range(0, len(sentences), size)]
    files = {}
    for number, part in enumerate(parts):
        name = f"sentences/{number:05d}.parquet"
        table = pa.table({"text": part, "checked": [True] * len(part)})
        file = write_table(store, f"sentences/questions/f0/{name}", table)
        files[name] = {"sha256": file.sha256, "bytes": len(store.read(file.path)), "rows": file.rows}
    uses = {"shard_sentences": size, "uses": {"queries/00000.parquet": [0]}}
    store.write("sentences/questions/f0/record.json", json.dumps({"files": files, "facts": uses}).encode())
    decoding = decoding_of(settings.translation.of("deu_Latn"))
    model = model_of(settings).of_files
    there, back = (fingerprint(model=model, decoding=decoding, target=code, version=VERSION) for code in ("deu_Latn", "eng_Latn"))
    for number, part in enumerate(parts):
        origin = ["sentences/questions", "f0", f"sentences/{number:05d}.parquet"]
        place = f"deu_Latn/questions/{number:05d}"
        german = write_older_unit(store, f"translated/{place}", origin, [f"{text} (older)" for text in part], there)
        write_older_unit(store, f"back_translated/{place}", german, [f"{text} (back)" for text in part], back)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return use_instant_engine(monkeypatch)


@pytest.mark.parametrize(("size", "converted"), [(7, False), (1000, False), (1000, True)])
def test_nothing_that_a_store_of_an_older_version_holds_is_translated_again(
    project: Project, store: Store, asked: Asked, size: int, converted: bool
) -> None:
    """It knows a model by its files, where a converted one is now known by what it was converted from."""
    shutil.copytree(SAMPLE, project.folder / "mine")
    if converted:
        description = json.loads((SAMPLE / "model.json").read_text(encoding="utf-8"))
        (project.folder / "mine" / "model.json").write_text(json.dumps(description | {"identity": "0123456789abcdef"}), encoding="utf-8")
    project.source("questions", [article(text, (f"What is {number}?", "Aldo")) for number, text in enumerate(RIVERS)])
    settings = project.settings(
        languages=["de"], cleaning={"shard_rows": 8, "language": False}, translation={"shard_sentences": 12, "model": "mine"}
    )
    assert (model_of(settings).fingerprint == model_of(settings).of_files) != converted
    questions = [f"What is {number}?" for number in range(20)]
    prepare(settings, store)
    write_older_store(settings, store, [*questions, *RIVERS], size)
    translate(settings, store)
    assert asked == {}
    filter_texts(settings, store)
    shards = [shard for shard in Plan(settings, store).scored_shards if shard.table == "passages"]
    rows = [row for shard in shards for row in shard.read(store).to_pylist()]
    assert [(row["text"], row["back_translation"]) for row in rows] == [(f"{text} (older)", f"{text} (back)") for text in RIVERS]
    assert {row["log_probability"] for row in rows} == {-0.25}


def test_what_an_older_version_does_not_know_is_translated_alone(project: Project, store: Store, asked: Asked) -> None:
    project.source("questions", [article(text, ("What is it?", "Aldo")) for text in RIVERS])
    settings = project.settings(languages=["de", "es"], cleaning={"language": False})
    prepare(settings, store)
    write_older_store(settings, store, RIVERS, 1000)
    translate(settings, store)
    german = {text for source, target, text in asked if (source, target) == ("eng_Latn", "deu_Latn")}
    spanish = {text for source, target, text in asked if (source, target) == ("eng_Latn", "spa_Latn")}
    assert (german, spanish) == ({"What is it?"}, {"What is it?", *RIVERS})


def test_translations_of_another_decoding_are_not_taken_over(project: Project, store: Store, asked: Asked) -> None:
    project.source("questions", [article(text, ("What is it?", "Aldo")) for text in RIVERS])
    settings = project.settings(languages=["de"], cleaning={"language": False})
    prepare(settings, store)
    write_older_store(settings, store, RIVERS, 1000)
    translate(project.settings(languages=["de"], cleaning={"language": False}, translation={"beam_size": 2}), store)
    assert {text for source, _, text in asked if source == "eng_Latn"} == {"What is it?", *RIVERS}
