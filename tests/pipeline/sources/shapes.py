"""Repositories of the shapes that the shipped cards describe: file layout, formats and column types as on the hub, content of our own.

SQuAD's `answers` and the like are sequences of mappings, which Parquet holds as mappings of lists.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import yaml
from datasets import ClassLabel, Dataset, Features, List, Value

from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.sources.card import read_card

TEXT, INT = Value("string"), Value("int64")
ANSWERS = {"text": List(TEXT), "answer_start": List(Value("int32"))}
SQUAD = Features({"id": TEXT, "title": TEXT, "context": TEXT, "question": TEXT, "answers": ANSWERS})


def squad_row(key: str, title: str, context: str, question: str, answer: str) -> dict[str, Any]:
    return {"id": key, "title": title, "context": context, "question": question, "answers": {"text": [answer], "answer_start": [0]}}


SQUAD_ROWS = [
    squad_row("a", "Salt", "Salt is mined in the north.", "Where is salt mined?", "in the north"),
    squad_row("b", "Salt", "Salt is white.", "What is white?", "Salt"),
    squad_row("c", "Tea", "Tea grows in the south.", "Where does tea grow?", "in the south"),
]
STORY = "Ada built a bridge of red stone. " * 12 + "Later she moved to Marlo. " + "There she was never seen again by anyone. " * 40


def parquet(path: Path, rows: list[dict[str, Any]], features: Features | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows, features=features).to_parquet(path)


def json_lines(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def readme(folder: Path, **configs: dict[str, str]) -> None:
    """A dataset card whose front matter says which files belong to each configuration and split."""
    listed = [
        {"config_name": name.replace("__", "."), "data_files": [{"split": split, "path": path} for split, path in files.items()]}
        for name, files in configs.items()
    ]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': listed})}---\n")


def script(folder: Path, name: str) -> None:
    """A loading script, which must never run."""
    (folder / name).write_text("raise SystemExit('code of a repository was run')\n")


def wikiqa(folder: Path) -> None:
    features = Features(
        {"question_id": TEXT, "question": TEXT, "document_title": TEXT, "answer": TEXT, "label": ClassLabel(names=["0", "1"])}
    )
    rows = [
        {"question_id": key, "question": question, "document_title": title, "answer": answer, "label": label}
        for key, question, title, answer, label in [
            ("Q1", "where is salt mined", "Salt", "Salt is white.", 0),
            ("Q1", "where is salt mined", "Salt", "It is mined in the north.", 1),
            ("Q2", "who drinks tea", "Tea", "Tea grows in the south.", 0),
        ]
    ]
    parquet(folder / "data/train-00000-of-00001.parquet", rows, features)
    readme(folder, default={"train": "data/train-*"})


def duorc(folder: Path) -> None:
    row = {"plot_id": "/m/1", "plot": STORY, "title": "The Bridge", "question_id": "1", "question": "Where did Ada move to?"}
    rows = [
        {**row, "answers": ["Marlo", "to Marlo"], "no_answer": False},
        {**row, "question_id": "2", "answers": [], "no_answer": True},
        {**row, "question_id": "3", "answers": ["Tessi"], "no_answer": False},
    ]
    names = ("plot_id", "plot", "title", "question_id", "question")
    features = Features({**dict.fromkeys(names, TEXT), "answers": List(TEXT), "no_answer": Value("bool")})
    for config in ("SelfRC", "ParaphraseRC"):
        parquet(folder / config / "train-00000-of-00001.parquet", rows, features)
    readme(folder, SelfRC={"train": "SelfRC/train-*"}, ParaphraseRC={"train": "ParaphraseRC/train-*"})


def newsqa(folder: Path) -> None:
    features = Features(
        {"context": TEXT, "question": TEXT, "answers": List(TEXT), "key": TEXT, "labels": List({"end": List(INT), "start": List(INT)})}
    )
    row = {
        "context": STORY,
        "question": "Where did Ada move to?",
        "answers": ["Marlo"],
        "key": "k1",
        "labels": [{"end": [9], "start": [5]}],
    }
    parquet(folder / "data/train-00000-of-00001.parquet", [row], features)
    readme(folder, default={"train": "data/train-*", "validation": "data/validation-*"})
    parquet(folder / "data/validation-00000-of-00001.parquet", [row], features)


def natural_questions(folder: Path) -> None:
    rows = [{"query": "where is salt mined", "answer": "Salt Salt is mined in the north."}]
    parquet(folder / "pair/train-00000-of-00001.parquet", rows)
    readme(folder, pair={"train": "pair/train-*"})


def natural_questions_full(folder: Path) -> None:
    tokens = ["<P>", "Salt", "is", "mined", ".", "</P>", "<P>", "Tea", "grows", ".", "</P>"]
    span = {"start_token": Value("int64"), "end_token": INT, "start_byte": INT, "end_byte": INT}
    features = Features(
        {
            "id": TEXT,
            "document": {
                "html": TEXT,
                "title": TEXT,
                "url": TEXT,
                "tokens": {"token": List(TEXT), "is_html": List(Value("bool")), "start_byte": List(INT), "end_byte": List(INT)},
            },
            "question": {"text": TEXT, "tokens": List(TEXT)},
            "long_answer_candidates": {**{name: List(kind) for name, kind in span.items()}, "top_level": List(Value("bool"))},
            "annotations": {
                "id": List(TEXT),
                "long_answer": List({"candidate_index": INT, **span}),
                "short_answers": List({**{name: List(kind) for name, kind in span.items()}, "text": List(TEXT)}),
                "yes_no_answer": List(ClassLabel(names=["NO", "YES"])),
            },
        }
    )

    def row(key: str, start: int, end: int) -> dict[str, Any]:
        numbers = list(range(len(tokens)))
        gold = {"candidate_index": 0, "start_token": start, "end_token": end, "start_byte": 0, "end_byte": 0}
        short = {"start_token": [1], "end_token": [2], "start_byte": [0], "end_byte": [0], "text": ["Salt"]}
        document_tokens = {"token": tokens, "is_html": [t.startswith("<") for t in tokens], "start_byte": numbers, "end_byte": numbers}
        both = {"start_token": [0, 6], "end_token": [6, 11], "start_byte": [0, 0], "end_byte": [0, 0], "top_level": [True, True]}
        return {
            "id": key,
            "document": {"html": "<html>", "title": "Salt", "url": "https://example.org", "tokens": document_tokens},
            "question": {"text": "what is mined", "tokens": ["what", "is", "mined"]},
            "long_answer_candidates": both,
            "annotations": {"id": ["1"], "long_answer": [gold], "short_answers": [short], "yes_no_answer": [-1]},
        }

    parquet(folder / "default/train-00000-of-00002.parquet", [row("1", 0, 6)], features)
    parquet(folder / "default/train-00001-of-00002.parquet", [row("2", -1, -1)], features)
    readme(folder, default={"train": "default/train-*"})


def yahoo(folder: Path) -> None:
    rows = [{"title": "where is salt mined??", "answer": "In the north,<br>I think."}]
    parquet(folder / "title-answer-pair/train-00000-of-00001.parquet", rows)
    readme(folder, **{"title-answer-pair": {"train": "title-answer-pair/train-*"}})


def entity_questions(folder: Path) -> None:
    with zipfile.ZipFile(folder / "dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for relation, question in (("P17", "Which country is Marlo located in?"), ("P19", "Where was Ada Lum born?")):
            content = json.dumps([{"question": question, "answers": ["Velu", "Kingdom of Velu"]}])
            archive.writestr(f"dataset/train/{relation}.train.json", content)
            archive.writestr(f"dataset/test/{relation}.test.json", content)


def mfaq(folder: Path) -> None:
    pairs = [("Where is salt mined?", "In the north."), ("Who drinks tea?", "All of us.")]
    listed = [{"question": question, "answer": answer, "language": "en"} for question, answer in pairs]
    json_lines(folder / "data/en/train.jsonl", {"id": 1, "domain": "example.org", "language": "en", "num_pairs": 2, "qa_pairs": listed})
    json_lines(folder / "data/en/valid.jsonl", {"id": 2, "domain": "example.com", "language": "en", "num_pairs": 0, "qa_pairs": []})
    script(folder, "mfaq.py")


def mr_tydi(folder: Path) -> None:
    passages = [{"docid": f"1#{number}", "title": "Salt", "text": text} for number, text in enumerate(["Salt is mined.", "Salt is white."])]
    row = {"query_id": "7", "query": "What is mined?", "positive_passages": passages[:1]}
    empty = {**row, "query_id": "8", "negative_passages": []}
    json_lines(folder / "mrtydi-v1.1-english/train.jsonl.gz", {**row, "negative_passages": passages[1:]}, empty)
    script(folder, "mr-tydi.py")


def mmarco(folder: Path) -> None:
    queries, passages = folder / "data/google/queries/train", folder / "data/google/collections"
    queries.mkdir(parents=True)
    passages.mkdir(parents=True)
    (queries / "english_queries.train.tsv").write_text('121352\tdefine "extreme"\n9083\twhere is salt mined\n')
    (passages / "english_collection.tsv").write_text("0\tSalt is mined in the north.\n1\tExtreme means very great.\n2\tTea grows.\n")
    (queries / "german_queries.train.tsv").write_text("9083\two wird Salz abgebaut\n121352\textrem definieren\n")
    (passages / "german_collection.tsv").write_text("0\tSalz wird im Norden abgebaut.\n1\t. . . . . . . .\n2\tTee wächst.\n")
    (folder / "data/triples.train.ids.small.tsv").write_text("9083\t0\t2\n121352\t1\t0\n9083\t0\t1\n")
    script(folder, "mmarco.py")


RAW = "https://raw.githubusercontent.com/"


def of_authors(name: str, *documents: dict[str, Any]) -> Callable[[Path], None]:
    """Writes the files of a card that names them by their addresses on a Git host, to the paths of these addresses."""

    def write(folder: Path) -> None:
        files = read_card(HOUSE / "data_cards" / f"{name}.md").files
        for address, document in zip(files, documents, strict=True):
            path = folder / address.removeprefix(RAW)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))

    return write


def lareqa() -> dict[str, Any]:
    """SQuAD JSON with the sentences of each paragraph, as LAReQA has it."""

    def paragraph(row: dict[str, Any]) -> dict[str, Any]:
        answer = {"answer_start": 0, "text": row["answers"]["text"][0]}
        questions = [{"answers": [answer], "id": row["id"], "question": row["question"]}]
        context = row["context"]
        return {"context": context, "qas": questions, "sentence_breaks": [[0, len(context)]], "sentences": [context]}

    titles = dict.fromkeys(row["title"] for row in SQUAD_ROWS)
    articles = [{"paragraphs": [paragraph(row) for row in SQUAD_ROWS if row["title"] == title], "title": title} for title in titles]
    return {"data": articles, "version": "1.1"}


def squad_document(part: str) -> dict[str, Any]:
    """SQuAD JSON of one paragraph, with several answers of different people."""
    answers = [{"text": text, "answer_start": 14} for text in ("in the north", "the north")]
    paragraph = {"context": SQUAD_ROWS[0]["context"], "qas": [{"id": part, "question": "Where is salt mined?", "answers": answers}]}
    return {"version": "1.0", "data": [{"title": "Salt", "paragraphs": [paragraph]}]}


def squad(folder: Path) -> None:
    parquet(folder / "plain_text/train-00000-of-00001.parquet", SQUAD_ROWS, SQUAD)
    readme(folder, plain_text={"train": "plain_text/train-*"})


def xquad(folder: Path) -> None:
    features = Features({name: kind for name, kind in SQUAD.items() if name != "title"})
    rows = [{name: value for name, value in row.items() if name != "title"} for row in SQUAD_ROWS]
    parquet(folder / "xquad.en/validation-00000-of-00001.parquet", rows, features)
    readme(folder, xquad__en={"validation": "xquad.en/validation-*"})


def mlqa(folder: Path) -> None:
    features = Features({name: kind for name, kind in SQUAD.items() if name != "title"})
    rows = [{name: value for name, value in row.items() if name != "title"} for row in SQUAD_ROWS]
    parquet(folder / "mlqa.en.en/test/0000.parquet", rows[:2], features)
    parquet(folder / "mlqa.en.en/validation/0000.parquet", rows[2:], features)


def mteb(folder: Path, split: str = "test", prefix: str = "", own_split: bool = False) -> None:
    names = ("corpus", "queries", "qrels") if prefix else ("corpus", "queries", "default")
    splits = (split, split, split) if own_split else ("corpus", "queries", split)
    queries = [{"_id": "q1", "text": "Where is salt mined?"}, {"_id": "q2", "text": "A training question?"}]
    parquet(folder / "queries.parquet", queries)
    parquet(folder / "corpus.parquet", [{"_id": f"d{n}", "title": "", "text": row["context"]} for n, row in enumerate(SQUAD_ROWS)])
    links = [{"query-id": "q1", "corpus-id": "d0", "score": 1}, {"query-id": "q1", "corpus-id": "d2", "score": 0}]
    parquet(folder / "qrels.parquet", links)
    files = ("corpus.parquet", "queries.parquet", "qrels.parquet")
    readme(folder, **{f"{prefix}{name}": {part: file} for name, part, file in zip(names, splits, files, strict=True)})


def miracl(folder: Path) -> None:
    mteb(folder, "dev", "en-", own_split=True)


def msmarco(folder: Path) -> None:
    mteb(folder, "dev")


SHAPES: dict[str, Callable[[Path], None]] = {
    "wikiqa": wikiqa,
    "duorc": duorc,
    "duorc-paraphrase": duorc,
    "newsqa": newsqa,
    "natural-questions": natural_questions,
    "natural-questions-full": natural_questions_full,
    "yahoo-qa": yahoo,
    "entity-questions": entity_questions,
    "mfaq": mfaq,
    "mr-tydi": mr_tydi,
    "mmarco": mmarco,
    "squadshifts": of_authors("squadshifts", *map(squad_document, ("wiki", "nyt", "reddit", "amazon"))),
    "mlqa-r": of_authors("mlqa-r", lareqa()),
    "xquad-r": of_authors("xquad-r", lareqa()),
    "squad": squad,
    "xquad": xquad,
    "mlqa": mlqa,
    "miracl-dev": miracl,
    "beir-msmarco": msmarco,
}

datasets.disable_progress_bars()
