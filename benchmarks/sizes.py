"""What a text takes in a store, in a release and in a loader's cache, and how long a core has it: `pipeline/planning/constants.py`.

    python -m benchmarks.sizes XQUAD [--flores FLORES] [--questions N]

XQUAD is a folder with XQuAD-R, one file a language (`en.json.gz`, `de.json.gz`, …). Its English goes through all stages with the sample
model, into two languages; the columns of every file are then weighed. What the sample model makes of Wikipedia is bad text of about the
right length, so that languages are weighed by translations made by people: those of XQuAD-R, and of FLORES where its folder is given
(`source.en.gz`, `reference.ja.gz`, …). The last line is JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.batches.opening import open_release
from parallel_qa.pipeline.planning.plan import STAGES, Plan
from parallel_qa.pipeline.release.making.publish import Release, publish
from parallel_qa.pipeline.settings import load_settings
from parallel_qa.pipeline.store import Store, parquet_bytes
from parallel_qa.pipeline.work import Step, run_here, run_step

_LANGUAGES = ("de", "ar")
"""Two that the sample model knows."""
_TEXT = ("text", "back_translation")
"""Columns that grow with the texts; the others have about as many bytes in each row."""


@dataclass
class Weight:
    """What files of one kind have in all."""

    files: int = 0
    rows: int = 0
    text: int = 0
    others: int = 0
    rest: int = 0
    """Bytes that belong to no column: what a file takes that has no row."""

    def add(self, path: Path) -> None:
        described = pq.read_metadata(path)
        self.files += 1
        self.rows += described.num_rows
        self.rest += path.stat().st_size
        for group in range(described.num_row_groups):
            for number in range(described.num_columns):
                column = described.row_group(group).column(number)
                size = column.total_compressed_size
                self.rest -= size
                if column.path_in_schema in _TEXT:
                    self.text += size
                else:
                    self.others += size

    def per_row(self) -> dict[str, float]:
        return {
            "rows": self.rows,
            "row_bytes": round(self.others / max(self.rows, 1), 2),
            "text_bytes_per_row": round(self.text / max(self.rows, 1), 1),
            "file_bytes": round(self.rest / self.files),
        }


def main() -> None:
    """Measure, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flores", type=Path)
    parser.add_argument("--questions", type=int, default=1_000_000, help="use about so many questions only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        measured = _measure(arguments.folder, arguments.questions, Path(scratch))
        by_people = {"of_english_in_flores": _languages_of_flores(arguments.flores)} if arguments.flores else {}
        print(json.dumps(measured | by_people))


def _measure(folder: Path, questions: int, scratch: Path) -> dict[str, Any]:
    os.environ["PARALLEL_QA_CACHE"] = str(scratch / "cache")
    _run_all(_articles(folder, "en", 20), scratch / "warming-up")  # what is loaded once a process is no part of any text's cost
    ran = _run_all(_articles(folder, "en", questions), scratch / "measured")
    weights = _weights(Path(ran.plan.store.root), ran.release)
    return {
        **_texts(ran.plan),
        "core_microseconds": ran.microseconds,
        "stored_bytes_per_character": round(
            sum(weights[f"english {table}"].text for table in schema.TEXTS) / sum(ran.characters.values()), 3
        ),
        "weights": {name: weight.per_row() for name, weight in sorted(weights.items())},
        "cache": _cache(ran, scratch / "cache"),
        "of_english": _languages_of_xquad(folder, questions),
    }


@dataclass(frozen=True)
class _Ran:
    """What a run through all stages has left."""

    plan: Plan
    release: str
    """Its path in the store."""
    characters: dict[str, int]
    """Of English, by table."""
    microseconds: dict[str, dict[str, float]]
    """By step and table, those of one core for a text, in each language; of a row that is prepared, its question and passage."""


def _run_all(articles: Sequence[dict[str, Any]], folder: Path) -> _Ran:
    folder.mkdir()
    plan = _plan(articles, Store(str(folder / "store")), folder)
    spent: dict[tuple[str, str], float] = {}
    units: dict[tuple[str, str], int] = {}
    for stage in STAGES:
        for step in plan.steps(stage):
            for table in ("", *schema.TEXTS):
                of_table = [unit for unit in step.units if unit.table == table]
                spent[step.name, table] = _core_seconds(partial(_do, replace(step, units=of_table), plan))
                units[step.name, table] = len(of_table) * (len(_LANGUAGES) if step.name == "compare" else 1)
    published: list[Release] = []
    spent["publish", ""] = _core_seconds(lambda: published.append(publish(plan.settings, plan.store, plan=plan)))
    units["publish", ""] = 1 + len(_LANGUAGES)
    record = plan.inventory.record(plan.english[0])
    texts = {table: plan.store.read_tables(record, table)["text"] for table in schema.TEXTS}
    characters = {table: pc.sum(pc.utf8_length(column)).as_py() for table, column in texts.items()}
    rows = {table: record.rows(table) for table in schema.TEXTS} | {"": sum(map(record.rows, schema.TEXTS))}
    spent_on: dict[str, dict[str, float]] = {}
    for (step_name, table), count in units.items():
        if count and not step_name.startswith("translate"):  # the sample model's speed is nobody's
            texts_of_step = record.rows("pairs") if step_name == "prepare" else count * rows[table]
            spent_on.setdefault(step_name, {})[table or "rows"] = round(spent[step_name, table] / texts_of_step * 1e6, 1)
    return _Ran(plan, published[0].path, characters, spent_on)


def _do(step: Step, plan: Plan) -> None:
    run_step(step, (1, 1), plan.inventory, run_here(plan.settings, plan.inventory))


def _core_seconds(work: Callable[[], None]) -> float:
    """Seconds of processors, all threads together."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _articles(folder: Path, tag: str, questions: int) -> list[dict[str, Any]]:
    articles, taken = [], 0
    for article in json.loads(gzip.decompress((folder / f"{tag}.json.gz").read_bytes()))["data"]:
        if taken < questions:
            articles.append(article)
            taken += sum(len(paragraph["qas"]) for paragraph in article["paragraphs"])
    return articles


def _plan(articles: Sequence[dict[str, Any]], store: Store, scratch: Path) -> Plan:
    (scratch / "xquad.json").write_text(json.dumps({"version": "1", "data": articles}))
    card = {"name": "xquad", "title": "XQuAD-R", "format": "squad", "files": ["xquad.json"], "licence": "CC-BY-SA-4.0"}
    (scratch / "xquad.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    profile = {"name": "sizes", "sources": ["./xquad.md"], "evaluation": [], "languages": list(_LANGUAGES)}
    (scratch / "profile.yaml").write_text(json.dumps(profile))
    return Plan(load_settings(str(scratch / "profile.yaml")), store)


def _texts(plan: Plan) -> dict[str, float]:
    """How long English texts and their sentences are."""
    record = plan.inventory.record(plan.english[0])
    characters, rows = {}, {}
    for table in schema.TEXTS:
        texts = plan.store.read_tables(record, table)["text"]
        characters[table], rows[table] = pc.sum(pc.utf8_length(texts)).as_py(), len(texts)
    segmented = plan.segmented["xquad", "eng_Latn"]
    sentences = {unit.table: plan.inventory.record(unit) for unit in segmented}
    return {
        **{f"characters_of_{table}": round(characters[table] / rows[table], 1) for table in rows},
        **{f"sentences_of_{table}": round(made.rows("sentences") / rows[table], 3) for table, made in sentences.items()},
        **{
            f"characters_of_sentence_in_{table}": round(made.facts["characters"] / made.rows("sentences"), 1)
            for table, made in sentences.items()
        },
    }


def _weights(store: Path, release: str) -> dict[str, Weight]:
    """By kind of file."""
    weights: dict[str, Weight] = defaultdict(Weight)
    for path in sorted(store.rglob("*.parquet")):
        weights[_kind(path.relative_to(store), release)].add(path)
    return weights


def _kind(path: Path, release: str) -> str:
    """What a file of a store is: "scored passages", "release queries eng_Latn"."""
    if path.is_relative_to(release):
        return " ".join(("release", *path.relative_to(release).parts[:-1]))
    stage, table = path.parts[0], path.parts[-2]
    if stage in ("segments", "compared"):
        of_table = path.parts[3] if stage == "segments" else path.parts[2]
        return f"{stage} {of_table}" + (f" {table}" if stage == "segments" else "")
    if stage == "scored":
        return f"{stage} {path.parts[3]}"
    if "translated" in stage:
        return f"{stage} {'queries' if 'queries' in path.parts else 'passages'}"
    return f"{stage} {table}"


def _cache(ran: _Ran, folder: Path) -> dict[str, float]:
    """What a loader keeps of a release beside the texts: for each pair, and for each text in each language."""
    opened = open_release(f"{ran.plan.store.root}/{ran.release}")
    opened.texts.add(opened.languages, opened.progress)
    pairs = sum(path.stat().st_size for path in (folder / "releases").rglob("pairs/*"))
    (ends,) = (folder / "releases").rglob("ends")
    rows = opened.manifest["rows"]
    texts = (rows["queries"] + rows["passages"]) * len(opened.languages)
    return {"bytes_per_pair": round(pairs / rows["pairs"], 1), "index_bytes_per_text": round(ends.stat().st_size / texts, 1)}


def _languages_of_xquad(folder: Path, questions: int) -> dict[str, dict[str, float]]:
    tags = [file.name.partition(".")[0] for file in sorted(folder.glob("*.json.gz"))]
    return _of_english({tag: list(_all_texts(_articles(folder, tag, questions))) for tag in tags})


def _languages_of_flores(folder: Path) -> dict[str, dict[str, float]]:
    files = {"en": folder / "source.en.gz"} | {file.name.split(".")[1]: file for file in sorted(folder.glob("reference.*.gz"))}
    return _of_english({tag: gzip.decompress(file.read_bytes()).decode().splitlines() for tag, file in files.items()})


def _of_english(texts: dict[str, list[str]]) -> dict[str, dict[str, float]]:
    """By language, what its texts take as UTF-8 and in a Parquet file, where the same in English takes 1."""
    utf8 = {tag: sum(len(text.encode()) for text in of_language) for tag, of_language in texts.items()}
    stored = {tag: len(parquet_bytes(pa.table({"text": of_language}))) for tag, of_language in texts.items()}
    return {tag: {"utf8": round(utf8[tag] / utf8["en"], 2), "stored": round(stored[tag] / stored["en"], 2)} for tag in texts if tag != "en"}


def _all_texts(articles: Sequence[dict[str, Any]]) -> Iterator[str]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            yield paragraph["context"]
            yield from (question["question"] for question in paragraph["qas"])


if __name__ == "__main__":
    main()
