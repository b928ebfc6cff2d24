"""How much evaluation data the English stage finds, and what a row costs it, however many there are.

    python -m benchmarks.sources [--rows 5000000] [--unrelated 30000] [--evaluation XQUAD.json.gz] [--sentences FILE.gz]
    python -m benchmarks.sources --join [--questions 400000 --passages 2000000 --negatives 16]

Recall: paragraphs of XQuAD, edited and put between other sentences, go through the stage with XQuAD as the evaluation
set. False hits: so do passages that have nothing to do with it. Cost: synthetic rows go through the same stage, in a
process of its own for each size; reading the same files with `datasets` and doing nothing is the limit beside it. With
`--join`, the memory that reading three tables takes, which are joined by id: each question has one positive passage and a
line for each of its negatives. The last line is JSON.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import re
import resource
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.measuring import peak_mb, run_alone
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE, Settings, load_settings
from parallel_qa.pipeline.sources.card import find_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.prepare import do, units
from parallel_qa.pipeline.sources.records import Pair
from parallel_qa.pipeline.store import Record, Store

REAL_DATA = HOUSE.parent / "shared" / "data"
LINES = 100_000
"""Of a table to join so many lines are made at a time."""
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
    parser.add_argument("--unrelated", type=int, default=30_000, help="passages that have nothing to do with the evaluation set")
    parser.add_argument("--join", action="store_true", help="measure the joining of three tables instead")
    parser.add_argument("--questions", type=int, default=400_000, help="of the joined set")
    parser.add_argument("--passages", type=int, default=2_000_000, help="of the joined set")
    parser.add_argument("--negatives", type=int, default=16, help="of each question of the joined set")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "WHAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return print(json.dumps(_measure_here(Path(arguments.child[0]), arguments.child[1])))
    if arguments.join:
        return print(json.dumps(measure_join(arguments.questions, arguments.passages, arguments.negatives)))
    result: dict[str, float | None] = {"recall_paragraph": None, "recall_half_paragraph": None, "false_hits_per_10k": None}
    if arguments.evaluation.is_file() and arguments.sentences.is_file():
        result |= measure_decontamination(arguments.evaluation, arguments.sentences, arguments.unrelated)
    else:
        print(f"recall is not measured: {arguments.evaluation} or {arguments.sentences} is absent")
    print(json.dumps(result | measure_scale(arguments.rows)))


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


def measure_decontamination(evaluation: Path, sentences: Path, unrelated_passages: int) -> dict[str, float | None]:
    """Recall by kind of edit, and false hits among so many unrelated passages."""
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
    composed = [" ".join(draw.sample(other, draw.randint(2, 6))) for _ in range(unrelated_passages // 3)]
    prose = list(_docstrings(unrelated_passages - len(composed)))
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
        record = _prepared(settings, store)
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
            limit, ours = (run_alone("benchmarks.sources", "--child", folder, what) for what in ("limit", "stage"))
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


def measure_join(questions: int, passages: int, negatives: int) -> dict[str, float]:
    """Peak memory of reading a joined set of such a size, in a process of its own, and how many pairs were read."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        _synthetic_tables(folder, questions, passages, negatives)
        measured = run_alone("benchmarks.sources", "--child", folder, "join")
    print(
        f"{questions:,} questions, {passages:,} passages, {questions * negatives:,} lines: {measured['rows']:,} pairs with "
        f"{measured['negatives']:,} negatives in {measured['seconds']:.0f} s; peak {measured['peak_mb']:,.0f} MB"
    )
    return {"join_peak_mb": round(measured["peak_mb"]), "rows": measured["rows"]}


def _synthetic_tables(folder: Path, questions: int, passages: int, negatives: int) -> None:
    """Three tables of tab-separated lines, and their card: passages of about 350 characters, links in no order."""
    draw = np.random.default_rng(0)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    parts = np.array([" ".join("".join(draw.choice(syllables, 3)) for _ in range(10)) for _ in range(10_000)])  # of 69 characters
    tables = {"queries": (questions, 1), "passages": (passages, 5)}
    for table, (count, length) in tables.items():
        with (folder / f"{table}.tsv").open("w") as file:
            for start in range(0, count, LINES):
                texts = draw.choice(parts, (min(LINES, count - start), length)).tolist()
                file.writelines(f"{number}\t{' '.join(text)}\n" for number, text in enumerate(texts, start))
    positives = draw.integers(0, passages, questions)
    with (folder / "links.tsv").open("w") as file:
        for lines in np.array_split(draw.permutation(questions * negatives), max(1, questions * negatives // LINES)):
            owners = lines // negatives
            triples = zip(owners.tolist(), positives[owners].tolist(), draw.integers(0, passages, len(lines)).tolist(), strict=True)
            file.writelines(f"{query}\t{positive}\t{negative}\n" for query, positive, negative in triples)
    text_table = {"columns": ["_id", "text"], "quotes": False}
    link_table = {"columns": ["q", "p", "n"], "quotes": False, "query": "q", "passage": "p", "negative": "n"}
    files = {table: {"files": [f"{table}.tsv"], **text_table} for table in tables}
    _card(folder, "joined", **files, links={"files": ["links.tsv"], **link_table})


def _measure_here(folder: Path, what: str) -> dict[str, float]:
    """One measurement in this process: the "limit", the "stage" or a "join"."""
    began = time.monotonic()
    measured: dict[str, float] = {}
    if what == "limit":
        import datasets

        rows = datasets.load_dataset("parquet", data_files=str(folder / "rows.parquet"), split="train", streaming=True)
        measured["rows"] = sum(len(batch["question"]) for batch in rows.iter(batch_size=1000))
    elif what == "join":
        negatives = [len(row.negatives) for row in read_rows(find_card("./joined.md", folder)) if isinstance(row, Pair)]
        measured |= {"rows": len(negatives), "negatives": sum(negatives)}
    else:
        store, settings = _project(folder, name="synthetic", evaluation=["./evaluation"])
        record = _prepared(settings, store)
        counts = record.facts["rows"]
        assert counts["read"] == counts["kept"] + sum(counts["rejected"].values())
        merged = sum(table["near"] for table in record.facts["merged"].values())
        measured |= {"kept": counts["kept"], "rejected": counts["read"] - counts["kept"], "merged": merged}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return measured | {
        "seconds": time.monotonic() - began,
        "processors": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_mb(),
    }


def _prepared(settings: Settings, store: Store) -> Record:
    """The finished English tables of a project with one source."""
    [unit] = units(settings)
    do(settings, store, unit, LogProgress())
    return unit.result(store)


def _card(folder: Path, name: str, **front: object) -> None:
    content = yaml.safe_dump({"name": name, "title": name, "licence": "CC0-1.0", **front})
    (folder / f"{name}.md").write_text(f"---\n{content}---\n")


def _project(folder: Path, name: str = "edited", **settings: object) -> tuple[Store, Settings]:
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump({"name": "benchmark", "sources": [f"./{name}.md"], "languages": ["de"], **settings}))
    return Store(str(folder / "store")), load_settings(str(profile))


if __name__ == "__main__":
    main()
