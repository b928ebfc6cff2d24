"""Does cost grow with the work alone? The stages over stores of growing size.

    python -m benchmarks.scale [--sentences 100000 1000000 3000000] [--only stages]

Builds stores of so many unique sentences, of which 3 % stand in several shards and one in every passage, in four languages, through the
real stages, each in a process of its own as its command or deployment is. The engine alone is not real: it answers at once, letter by
letter in the script of the language. Then another process finds that there is nothing to do. Last, a card of three tables is joined, the
cache of a release made and the release opened. The last line is JSON:

- `noop_reads_per_unit`: files read and folders listed by a run that has nothing to do, by units;
- `noop_cost_ratio`: its processor time a unit in the largest store by that in the smallest;
- `scored_input_ratio`: bytes that a scored unit reads by bytes of the translations of its own texts' sentences; the worst unit;
- `stage_cost_ratio`: processor time of segmenting, scoring and publishing a sentence in the largest store by that in the smallest;
- `peak_mb`: of the largest process; `peak_ratio`: by that of the smallest store;
- `join_peak_mb`, `open_peak_mb`, `open_s`, `cache_peak_mb`: see benchmarks.sources and benchmarks.opening.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.measuring import peak_mb, processor_seconds, run_alone
from parallel_qa.pipeline.filters.filter import do as filter_unit
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.planning.plan import STAGES, Plan
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.settings import Settings, TranslationSettings, load_settings
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import translate
from parallel_qa.pipeline.translation.engine import Translation
from parallel_qa.pipeline.translation.models import REQUIRED, Model
from parallel_qa.pipeline.translation.packs import shard_name
from parallel_qa.pipeline.work import Unit, run_here, run_step

ALPHABETS = {"ell_Grek": "α", "tha_Thai": "ก", "kat_Geor": "ა", "hye_Armn": "ա"}
"""Languages whose script no other has, and its first letter: 26 letters from there on stand for a to z."""
OTHERS = 7
"""Sentences of a passage, beside the one that stands everywhere."""
REPEATED = 0.03
POOL = 0.01
"""Different repeated sentences by all sentences."""
EVERYWHERE = "This sentence stands in all passages of the benchmark."


class InstantEngine:
    """Stands for the model: answers at once."""

    device, compute_type, restricted = "none", "none", False

    def __init__(self, model: Model, settings: TranslationSettings, candidates: Sequence[str] | None = None) -> None:
        self.model, self.settings = model, settings

    def translate(
        self, sentences: Sequence[str], source: Language, target: Language, advance: Callable[[int, int], None]
    ) -> list[Translation]:
        """Each sentence, letter by letter in the script of `target`."""
        table = _letters(target) if source == ENGLISH else {there: here for here, there in _letters(source).items()}
        advance(len(sentences), 0)
        return [Translation(sentence.translate(table), None, -0.1) for sentence in sentences]


def _letters(language: Language) -> dict[int, int]:
    first = ord(ALPHABETS[language.code])
    return {ord("a") + number: first + number for number in range(26)} | {ord("A") + number: first + number for number in range(26)}


class CountingStore(Store):
    """Counts what is read of a store."""

    def __init__(self, url: str) -> None:
        self.reads = self.bytes_read = 0
        super().__init__(url)

    def read(self, path: str) -> bytes:
        """The content of a file."""
        content = super().read(path)
        self.reads += 1
        self.bytes_read += len(content)
        return content

    def walk(self, path: str) -> Iterator[str]:
        """The paths of all files in a folder."""
        self.reads += 1
        return super().walk(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sentences", type=int, nargs="+", default=[100_000, 1_000_000, 3_000_000])
    parser.add_argument("--join", type=int, nargs=3, default=[400_000, 2_000_000, 16], metavar=("QUESTIONS", "PASSAGES", "NEGATIVES"))
    parser.add_argument("--open", type=int, nargs=2, default=[10_000_000, 2_000_000], metavar=("PAIRS", "PASSAGES"))
    parser.add_argument("--only", choices=["stages", "rest"], help="One half of the figures.")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        what, folder = given.child
        print(json.dumps(find_nothing_to_do(Path(folder)) if what == "noop" else run_stage(what, Path(folder))))
        return
    figures: dict[str, float] = {}
    if given.only != "rest":
        figures |= measure_stages(given.sentences)
    if given.only != "stages":
        from benchmarks.opening import measure_opening  # what the children need not have in memory
        from benchmarks.sources import measure_join

        join = measure_join(*given.join)
        figures |= {"join_peak_mb": join["join_peak_mb"]} | measure_opening(*given.open)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def measure_stages(sizes: Sequence[int]) -> dict[str, float]:
    """The figures of the stages, over stores of so many sentences, smallest first."""
    print("The engine answers at once; all else is real.", flush=True)
    built: list[dict[str, Any]] = []
    idle: list[dict[str, Any]] = []
    for sentences in sizes:
        with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
            make_source(Path(scratch), sentences)
            built.append(build(scratch))
            idle.append(run_alone("benchmarks.scale", "--child", "noop", scratch))
        shown = {name: f"{seconds:.1f} s" for name, seconds in built[-1]["seconds"].items()}
        print(f"{built[-1]['sentences']:,} sentences: {shown}, {built[-1]['peak_mb']:.0f} MB, {idle[-1]}", flush=True)
    first, last = built[0], built[-1]
    costs = [sum(size["seconds"][step] for step in ("segment", "filter", "compare", "publish")) / size["sentences"] for size in built]
    idle_costs = [size["seconds"] / size["units"] for size in idle]
    return {
        "noop_reads_per_unit": max(size["reads"] / size["units"] for size in idle),
        "noop_cost_ratio": idle_costs[-1] / idle_costs[0],
        "scored_input_ratio": max(size["scored_input_ratio"] for size in built),
        "stage_cost_ratio": costs[-1] / costs[0],
        "peak_mb": max(last["peak_mb"], idle[-1]["peak_mb"]),
        "peak_ratio": last["peak_mb"] / first["peak_mb"],
    }


def make_source(folder: Path, sentences: int) -> None:
    """A card, its rows and a profile with about `sentences` unique sentences: passages, each with one question."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(20_000)]

    def sentence() -> str:
        return f"{' '.join(draw.choices(words, k=4)).capitalize()}."

    pool = [sentence() for _ in range(max(2, int(sentences * POOL)))]
    rows = round(sentences / (OTHERS * (1 - REPEATED) + 1 + POOL))
    schema = pa.schema([("question", pa.string()), ("passage", pa.string())])
    with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
        for start in range(0, rows, 10_000):
            count = min(10_000, rows - start)
            questions = [f"What is {' '.join(draw.choices(words, k=4))}?" for _ in range(count)]
            passages = [
                " ".join([EVERYWHERE, *(draw.choice(pool) if draw.random() < REPEATED else sentence() for _ in range(OTHERS))])
                for _ in range(count)
            ]
            writer.write_table(pa.table([questions, passages], schema=schema))
    front = {"name": "synthetic", "title": "synthetic", "licence": "CC0-1.0", "files": ["rows.parquet"]}
    card = yaml.safe_dump(front | {"rows": {"query": "question", "passage": "passage"}})
    (folder / "synthetic.md").write_text(f"---\n{card}---\n")
    profile = {
        "name": "scale",
        "sources": ["./synthetic.md"],
        "evaluation": [],
        "languages": list(ALPHABETS),
        "cleaning": {"language": False},
        "translation": {"model": "./model", "licence": "CC0-1.0"},
    }
    _make_model(folder / "model")
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))


def _make_model(folder: Path) -> None:
    """The files of a model, of which only the names of its languages are looked at."""
    folder.mkdir()
    for name in REQUIRED:
        (folder / name).write_text(json.dumps([ENGLISH.code, *ALPHABETS]) if name == "shared_vocabulary.json" else "")


def build(folder: str) -> dict[str, Any]:
    """Run all stages, each in a process: seconds of each step, the worst scored unit, and the peaks of memory."""
    stages = {stage: run_alone("benchmarks.scale", "--child", stage, folder) for stage in (*STAGES, "publish")}
    print({stage: f"{facts['peak_mb']:.0f} MB" for stage, facts in stages.items()}, flush=True)
    return {
        "sentences": stages["translate"]["sentences"],
        "seconds": {step: seconds for facts in stages.values() for step, seconds in facts["seconds"].items()},
        "scored_input_ratio": stages["filter"]["scored_input_ratio"],
        "peak_mb": max(facts["peak_mb"] for facts in stages.values()),
    }


def run_stage(stage: str, folder: Path) -> dict[str, Any]:
    """Run a stage in this process: seconds of each step, and its peak of memory."""
    settings, store = load_settings(str(folder / "profile.yaml")), CountingStore(str(folder / "store"))
    plan, progress = Plan(settings, store), LogProgress()
    facts: dict[str, Any] = {"seconds": {}, "peak_mb": 0.0}
    with mock.patch.object(translate, "Engine", InstantEngine):
        for step in plan.steps(stage) if stage in STAGES else ():
            began = processor_seconds()
            if step.name == "filter":
                facts["scored_input_ratio"], facts["peak_mb"], facts["seconds"][step.name] = _score(plan, step.units)
                continue
            run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory, progress))
            facts["seconds"][step.name] = processor_seconds() - began
    if stage == "publish":
        began = processor_seconds()
        _check_that_most_is_kept(publish(settings, store, progress, plan).manifest)
        facts["seconds"]["publish"] = processor_seconds() - began
    if stage == "translate":
        facts["sentences"] = sum(file.rows for packs in plan.packs.values() for pack in packs for file in pack.files.values())
    return facts | {"peak_mb": max(facts["peak_mb"], peak_mb())}


def _check_that_most_is_kept(manifest: dict[str, Any]) -> None:
    kept = manifest["sources"]["synthetic"]["languages"]["ell_Grek"]["pairs"]
    if kept["kept"] < 0.9 * kept["read"]:
        sys.exit(f"the filters keep {kept['kept']} of {kept['read']} pairs only: this measures a release of rejected texts")


def _score(plan: Plan, units: Sequence[Unit]) -> tuple[float, float, float]:
    """Score in as many processes as there are cores: the worst input ratio of a unit, the peak of memory of a process, and seconds."""
    worst, peak, seconds = 0.0, 0.0, 0.0
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=_load_detectors) as pool:
        scored = pool.map(_score_one, repeat(plan.settings), repeat(plan.store.url), units)
        for unit, (bytes_read, peak_of_process, seconds_of_unit) in zip(units, scored, strict=True):
            plan.inventory.add(unit)
            worst = max(worst, bytes_read / _bytes_of_own_sentences(unit, plan))
            peak = max(peak, peak_of_process)
            seconds += seconds_of_unit
    return worst, peak, seconds


def _load_detectors() -> None:
    """What a process does once, whatever the work: a small store would look dear by it."""
    for code in ALPHABETS:
        language_scores(["What is this?"], LANGUAGES.find(code))


def _score_one(settings: Settings, url: str, unit: Unit) -> tuple[int, float, float]:
    """Score a unit; the bytes that it reads, the peak of memory of this process so far, and processor seconds."""
    store, began = CountingStore(url), processor_seconds()
    filter_unit(settings, store, unit, LogProgress())
    return store.bytes_read, peak_mb(), processor_seconds() - began


def _bytes_of_own_sentences(unit: Unit, plan: Plan) -> int:
    """Of the files with the translations of a scored unit's sentences, there and back."""
    total = 0
    for back in unit.inputs.values():
        for pack in (back, back.inputs["translated"]):
            files = plan.inventory.record(pack).files
            total += sum(file.bytes for name, file in files.items() if name.startswith(f"{shard_name(unit)}/"))
    return total


def find_nothing_to_do(folder: Path) -> dict[str, Any]:
    """Run all stages over a finished store; what that reads and takes."""
    settings, store = load_settings(str(folder / "profile.yaml")), CountingStore(str(folder / "store"))
    began, reads = processor_seconds(), store.reads
    plan = Plan(settings, store)
    units = 0
    for stage in STAGES:
        for step in plan.steps(stage):
            if plan.inventory.missing(step.units):
                sys.exit(f"there is something to do left: {step.name}")
            units += len(step.units)
    if publish(settings, store, LogProgress(), plan).new:
        sys.exit("there is a release to be made left")
    translated = plan.translation_units
    units += sum(len(unit.inputs) for unit in [*translated, *plan.repeated_translations]) + 1
    return {"units": units, "reads": store.reads - reads, "seconds": processor_seconds() - began, "peak_mb": peak_mb()}


if __name__ == "__main__":
    main()
