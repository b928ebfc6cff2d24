"""How much evaluation data the English stage finds, and what a row costs it, however many there are.

    python -m benchmarks.sources [--rows 5000000] [--evaluation XQUAD.json.gz] [--sentences FILE.gz]

Recall: paragraphs of XQuAD, edited and put between other sentences, go through the stage `download` with XQuAD as
the evaluation set. False hits: so do passages that have nothing to do with it. Cost: synthetic rows go through the
same stage, in a process of its own for each size; reading the same files with `datasets` and doing nothing is the
limit beside it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE, load_settings
from parallel_qa.pipeline.sources.prepare import download, units
from parallel_qa.pipeline.store import Store

REAL_DATA = HOUSE.parent / "shared" / "data"
XQUAD = REAL_DATA / "xquad-r" / "en.json.gz"
SENTENCES = REAL_DATA / "flores-nllb" / "source.en.gz"
UNRELATED = 30_000
COMMON = """the of and to in a is that it for on with as are from at by this which or have an they their what were when there can who been
its after other into these about than them then many each between both during through where while because such some more would only also
most made over new first two time year world state city people war government part name known used called number"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the large synthetic set; the small one has a tenth")
    parser.add_argument("--evaluation", type=Path, default=REAL_DATA / "xquad-r" / "en.json.gz", help="SQuAD JSON of the evaluation set")
    parser.add_argument(
        "--sentences", type=Path, default=REAL_DATA / "flores-nllb" / "source.en.gz", help="unrelated sentences, one a line"
    )
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "WHAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(Path(arguments.child[0]), arguments.child[1])
    result: dict[str, float | None] = {"recall_paragraph": None, "recall_half_paragraph": None, "false_hits_per_10k": None}
    if arguments.evaluation.is_file() and arguments.sentences.is_file():
        result |= measure_decontamination(arguments.evaluation, arguments.sentences)
    else:
        print(f"recall is not measured: {arguments.evaluation} or {arguments.sentences} is absent")
    result |= measure_scale(arguments.rows)
    print(json.dumps(result))


Edit = Callable[[str, random.Random, list[str]], str]


def _case(text: str, draw: random.Random, _: list[str]) -> str:
    return "".join(c.swapcase() if draw.random() < 0.3 else c for c in text)


def _punctuation(text: str, draw: random.Random, _: list[str]) -> str:
    return re.sub(r"""[.,;:()"'-]""", lambda _: draw.choice(["", " ", "!", " - "]), text)


def _tenth_word(text: str, draw: random.Random, vocabulary: list[str]) -> str:
    first = draw.randrange(10)
    return " ".join(draw.choice(vocabulary) if place % 10 == first else word for place, word in enumerate(text.split()))


def _word_in_ten(text: str, draw: random.Random, vocabulary: list[str]) -> str:
    return " ".join(draw.choice(vocabulary) if draw.random() < 0.1 else word for word in text.split())


def _half(text: str, draw: random.Random, _: list[str]) -> str:
    words = text.split()
    first = draw.choice([0, len(words) // 4, len(words) // 2])
    return " ".join(words[first : first + len(words) // 2])


EDITS: dict[str, Edit] = {
    "case": _case,
    "punctuation": _punctuation,
    "every tenth word changed": _tenth_word,
    "a word in ten changed at random": _word_in_ten,
    "half a paragraph": _half,
}


def measure_decontamination(evaluation: Path, sentences: Path) -> dict[str, float | None]:
    """Recall by kind of edit, and false hits."""
    draw = random.Random(0)
    document = json.loads(gzip.decompress(evaluation.read_bytes()))
    articles = [[paragraph["context"] for paragraph in article["paragraphs"]] for article in document["data"]]
    other = gzip.decompress(sentences.read_bytes()).decode().splitlines()
    vocabulary = sorted({word for sentence in other for word in sentence.split()})
    paragraphs = [paragraph for article in articles for paragraph in article]
    edited = [
        (kind, " ".join([*draw.sample(other, 2), edit(paragraph, draw, vocabulary), *draw.sample(other, 2)]))
        for kind, edit in EDITS.items()
        for paragraph in paragraphs
    ]
    found = _set_aside(evaluation, edited)
    recalls = {kind: found[kind] / len(paragraphs) for kind in EDITS}
    print(f"{len(paragraphs)} paragraphs in two sentences before and two after, by edit:")
    for kind, recall in recalls.items():
        print(f"  {kind:32} recall {recall:.4f}")
    composed = [" ".join(draw.sample(other, draw.randint(2, 6))) for _ in range(UNRELATED // 3)]
    prose = list(_docstrings(UNRELATED - len(composed)))
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.json"
        half.write_text(json.dumps({"data": document["data"][::2]}))
        unseen = [("paragraphs of other articles", paragraph) for article in articles[1::2] for paragraph in article]
        false = _set_aside(half, unseen)
    unrelated = [*(("composed of news sentences", text) for text in composed), *(("documentation", text) for text in prose)]
    false += _set_aside(evaluation, unrelated)
    total = len(unseen) + len(unrelated)
    print(f"{total} unrelated passages; taken for evaluation passages: {dict(false) or 'none'}")
    return {
        "recall_paragraph": round(min(recall for kind, recall in recalls.items() if "half" not in kind), 4),
        "recall_half_paragraph": round(recalls["half a paragraph"], 4),
        "false_hits_per_10k": round(1e4 * false.total() / total, 3),
    }


def _set_aside(evaluation: Path, passages: list[tuple[str, str]]) -> Counter[str]:
    """How many passages of each kind the stage sets aside as evaluation passages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = {"id": [], "kind": [], "question": [], "passage": []}
        for number, (kind, passage) in enumerate(passages):
            rows["id"].append(f"{kind}#{number}")
            rows["kind"].append(kind)
            rows["question"].append(f"What does the passage with the number {number} say?")
            rows["passage"].append(passage)
        pq.write_table(pa.table(rows), folder / "rows.parquet")
        _card(folder, "edited", files=["rows.parquet"], rows={"id": "id", "query": "question", "passage": "passage"})
        _card(folder, "evaluation", files=[str(evaluation.resolve())], format="squad", role="evaluation")
        store, settings = _project(folder, evaluation=["./evaluation.md"], cleaning={"language": False})
        download(settings, store)
        record = units(settings)[0].result(store)
        assert record.facts["rows"]["read"] == len(passages)
        table = store.read_tables(record, "rejected")
        return Counter(row["source_id"].split("#")[0] for row in table.to_pylist() if row["reason"] == "evaluation_passage")


def _docstrings(count: int) -> Iterator[str]:
    """Paragraphs of English prose about something else: the documentation in the packages that are installed."""
    seen: set[str] = set()
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                    text = " ".join(paragraph.split())
                    if 20 <= len(text.split()) <= 200 and text not in seen:
                        seen.add(text)
                        yield text
                        if len(seen) == count:
                            return


def measure_scale(rows: int) -> dict[str, float | None]:
    """Peak memory, and what a row of a large set costs against one of a small set."""
    measured: dict[int, dict[str, float]] = {}
    for size in (rows // 10, rows):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            folder = Path(name)
            _synthetic(folder, size)
            limit, ours = (_measured(folder, what) for what in ("limit", "stage"))
            measured[size] = ours
            print(
                f"{size:>9,} rows: {1e6 * ours['seconds'] / size:.0f} µs a row ({1e6 * ours['processors'] / size:.0f} µs of processors), "
                f"{ours['seconds'] / limit['seconds']:.1f} times reading alone; peak {ours['peak_mb']:,.0f} MB; "
                f"kept {ours['kept']:,}, set aside {ours['rejected']:,}, merged {ours['merged']:,}",
                flush=True,
            )
    small, large = measured[rows // 10], measured[rows]
    return {
        "peak_mb_5m": round(large["peak_mb"]),
        "cost_per_row_ratio": round(large["processors"] / small["processors"] / 10, 3),
        "wall_per_row_ratio": round(large["seconds"] / small["seconds"] / 10, 3),
    }


def _synthetic(folder: Path, rows: int) -> None:
    """Rows of made-up English: one in twenty repeats an earlier passage, as many do so with a word changed."""
    draw = np.random.default_rng(0)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    invented = ["".join(draw.choice(syllables, draw.integers(2, 5))) for _ in range(30_000)]
    common = COMMON.split()
    vocabulary = np.array([*common, *dict.fromkeys(invented)])
    frequency = 1 / (np.arange(len(vocabulary)) + 3.0)
    frequency /= frequency.sum()
    schema = pa.schema([(name, pa.string()) for name in ("question", "passage", "answer")])
    number = 0
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="zstd") as writer:
        while number < rows:
            size = min(50_000, rows - number)
            words = draw.choice(vocabulary, size=(size, 70), p=frequency)
            kinds = draw.random(size)
            for repeated in np.flatnonzero(kinds < 0.1)[1:].tolist():
                words[repeated, 10:] = words[repeated - 1, 10:]
                if kinds[repeated] < 0.05:
                    words[repeated, 40] = "altered"
            questions = [f"What is {' '.join(row)} in {number + place}?" for place, row in enumerate(words[:, :8].tolist())]
            passages = [" ".join(row) + "." for row in words[:, 10:].tolist()]
            writer.write_table(pa.table({"question": questions, "passage": passages, "answer": words[:, 12].tolist()}, schema))
            number += size
    _card(folder, "synthetic", files=["rows.parquet"], rows={"query": "question", "passage": "passage", "answer": "answer"})
    texts = [" ".join(row) for row in draw.choice(vocabulary, size=(2_000, 100), p=frequency).tolist()]
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "texts.txt").write_text("\n".join(texts))


def _measured(folder: Path, what: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.sources", "--child", str(folder), what]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HOUSE).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def _child(folder: Path, what: str) -> None:
    """One measurement in this process, whose result is the last line of the output."""
    began = time.monotonic()
    facts: dict[str, Any] = {}
    if what == "limit":
        import datasets

        rows = datasets.load_dataset("parquet", data_files=str(folder / "rows.parquet"), split="train", streaming=True)
        facts["rows"] = sum(len(batch["question"]) for batch in rows.iter(batch_size=1000))
    else:
        store, settings = _project(folder, name="synthetic", evaluation=["./evaluation"])
        download(settings, store, LogProgress())
        record = units(settings)[0].result(store)
        counts = record.facts["rows"]
        assert counts["read"] == counts["kept"] + sum(counts["rejected"].values())
        merged = sum(table["near"] for table in record.facts["merged"].values())
        facts |= {"kept": counts["kept"], "rejected": counts["read"] - counts["kept"], "merged": merged}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    facts |= {
        "seconds": time.monotonic() - began,
        "processors": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(facts))


def _card(folder: Path, name: str, **front: object) -> None:
    content = yaml.safe_dump({"name": name, "title": name, "licence": "CC0-1.0", **front})
    (folder / f"{name}.md").write_text(f"---\n{content}---\n")


def _project(folder: Path, name: str = "edited", **settings: object) -> tuple[Store, Any]:
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump({"name": "benchmark", "sources": [f"./{name}.md"], "languages": ["de"], **settings}))
    return Store(str(folder / "store")), load_settings(str(profile))


if __name__ == "__main__":
    main()
