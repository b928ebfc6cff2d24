"""A release in the formats of other tools, for any pair of languages, line by line.

- `sentence-transformers`: Parquet with the columns `anchor`, `positive`, `negative_1` …, in that order;
- `flagembedding`: JSON lines with `query`, `pos`, `neg`;
- `tevatron`: JSON lines with `query_id`, `query_text`, `positive_document_ids`, `negative_document_ids`, and a corpus;
- `beir`: a folder with a corpus, queries and qrels.

An id is that of the release with the tag of its language: `91ac…-de`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.titles import retriever_texts

_BATCH = 5_000


@dataclass(frozen=True)
class Example:
    """One pair in one pair of languages, with the negatives that survived there."""

    query_id: str
    query: str
    passage_id: str
    passage: str
    negative_ids: list[str]
    negatives: list[str]


Directions = Sequence[tuple[str, str]]
"""Languages of query and passage, as NLLB codes."""


def export(store: Store, kind: str, folder: Path, directions: Directions | None, negatives: int) -> int:
    """Write the release in `store` (its folder) to `folder` as `kind`; returns how many examples.

    `directions` are languages of query and passage, as codes or tags; each language with itself if None. Of each pair at most
    `negatives` negatives are written. Raises UserError where `kind` or a language is not known or `folder` is not empty.
    """
    if kind not in _FORMATS:
        raise UserError(f"format {kind!r} is none of {', '.join(_FORMATS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: choose another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        reader = Reader(store, Path(scratch))
        chosen = [(reader.language(query), reader.language(passage)) for query, passage in directions or []]
        chosen = chosen or [(code, code) for code in reader.languages]
        return _FORMATS[kind](reader, folder, chosen, negatives)


def examples(reader: Reader, directions: Directions, negatives: int) -> Iterator[Example]:
    """All examples, direction by direction, in the order of the release's pairs."""
    for query_code, passage_code in directions:
        queries, passages = reader.texts("queries", query_code), reader.texts("passages", passage_code)
        for pairs in reader.pairs(query_code, passage_code):
            for start in range(0, len(pairs), _BATCH):
                yield from _examples(pairs.slice(start, _BATCH), queries, passages, _tag(query_code), _tag(passage_code), negatives)


def _examples(pairs: pa.Table, queries: pa.Table, passages: pa.Table, query_tag: str, passage_tag: str, most: int) -> Iterator[Example]:
    query_rows, passage_rows = pairs["query_row"].to_numpy(), pairs["passage_row"].to_numpy()
    given: list[list[int]] = [rows[: most * 2] for rows in pairs["negative_rows"].to_pylist()] if most else [[]] * len(pairs)
    flat = np.array([row for rows in given for row in rows], dtype=np.int64)
    query_ids = queries["id"].take(pa.array(query_rows)).to_pylist()
    passage_ids = passages["id"].take(pa.array(passage_rows)).to_pylist()
    query_texts, passage_texts = _texts_of_rows(queries, query_rows), _texts_of_rows(passages, passage_rows)
    others = iter(zip(passages["id"].take(pa.array(flat)).to_pylist(), _texts_of_rows(passages, flat), strict=True))
    for place, rows in enumerate(given):
        survived = [(text_id, text) for text_id, text in (next(others) for _ in rows) if text is not None][:most]
        yield Example(
            f"{query_ids[place]}-{query_tag}",
            query_texts[place] or "",
            f"{passage_ids[place]}-{passage_tag}",
            passage_texts[place] or "",
            [f"{text_id}-{passage_tag}" for text_id, _ in survived],
            [text for _, text in survived],
        )


def _texts_of_rows(texts: pa.Table, rows: NDArray[np.int64]) -> list[str | None]:
    """The texts of these rows as a retriever reads them; None for one that was rejected."""
    joined: list[str | None] = retriever_texts(texts.take(pa.array(rows, pa.int64()))).to_pylist()
    return joined


def _sentence_transformers(reader: Reader, folder: Path, directions: Directions, negatives: int) -> int:
    """Examples with fewer negatives than asked for are left out: every row needs all columns."""
    names = ["anchor", "positive", *(f"negative_{number}" for number in range(1, negatives + 1))]
    target = pa.schema([(name, pa.string()) for name in names])
    count = 0
    with pq.ParquetWriter(folder / "train.parquet", target, compression="zstd") as writer:
        rows: list[list[str]] = []
        for example in examples(reader, directions, negatives):
            if len(example.negatives) == negatives:
                rows.append([example.query, example.passage, *example.negatives])
            if len(rows) == _BATCH:
                count += _write(writer, rows, target)
                rows = []
        return count + _write(writer, rows, target)


def _write(writer: pq.ParquetWriter, rows: list[list[str]], target: pa.Schema) -> int:
    if rows:
        writer.write_table(pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=target))
    return len(rows)


def _flagembedding(reader: Reader, folder: Path, directions: Directions, negatives: int) -> int:
    """An example without a negative is left out where negatives are wanted: an empty `neg` makes the reader fail."""
    count = 0
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for example in examples(reader, directions, negatives):
            if negatives and not example.negatives:
                continue
            neg = {"neg": example.negatives} if negatives else {}
            file.write(_line({"query": example.query, "pos": [example.passage], **neg}))
            count += 1
    return count


def _tevatron(reader: Reader, folder: Path, directions: Directions, negatives: int) -> int:
    count = 0
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for example in examples(reader, directions, negatives):
            content = {"query_id": example.query_id, "query_text": example.query, "positive_document_ids": [example.passage_id]}
            file.write(_line(content | {"negative_document_ids": example.negative_ids}))
            count += 1
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for text_id, _, text in _texts(reader, "passages", [passage for _, passage in directions], joined=True):
            file.write(_line({"docid": text_id, "text": text}))
    return count


def _beir(reader: Reader, folder: Path, directions: Directions, negatives: int) -> int:
    count = 0
    (folder / "qrels").mkdir()
    with ExitStack() as stack:
        corpus, queries, qrels = (_open(stack, folder / name) for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv"))
        for text_id, title, text in _texts(reader, "passages", [passage for _, passage in directions]):
            corpus.write(_line({"_id": text_id, "title": title, "text": text}))
        for text_id, _, text in _texts(reader, "queries", [query for query, _ in directions]):
            queries.write(_line({"_id": text_id, "text": text}))
        qrels.write("query-id\tcorpus-id\tscore\n")
        for example in examples(reader, directions, 0):
            qrels.write(f"{example.query_id}\t{example.passage_id}\t1\n")
            count += 1
    return count


def _open(stack: ExitStack, path: Path) -> TextIO:
    return stack.enter_context(path.open("w", encoding="utf-8"))


def _texts(reader: Reader, table: str, codes: Sequence[str], joined: bool = False) -> Iterator[tuple[str, str, str]]:
    """Id, title and text of every text that survived in one of the languages; with `joined` the title is part of the text."""
    for code in dict.fromkeys(codes):
        texts = reader.texts(table, code)
        for start in range(0, len(texts), _BATCH):
            part = texts.slice(start, _BATCH)
            texts_of_part = (retriever_texts(part) if joined else part["text"]).to_pylist()
            for text_id, title, text in zip(part["id"].to_pylist(), part["title"].to_pylist(), texts_of_part, strict=True):
                if text is not None:
                    yield f"{text_id}-{_tag(code)}", title or "", text


def _tag(code: str) -> str:
    """The BCP-47 tag of a language, as it is written into ids."""
    return LANGUAGES.find(code).tag


def _line(content: Any) -> str:
    """`content` as a line of JSON."""
    return json.dumps(content, ensure_ascii=False) + "\n"


_FORMATS: dict[str, Callable[[Reader, Path, Directions, int], int]] = {
    "sentence-transformers": _sentence_transformers,
    "flagembedding": _flagembedding,
    "tevatron": _tevatron,
    "beir": _beir,
}
