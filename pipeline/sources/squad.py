"""The SQuAD JSON format: articles, their paragraphs, the questions on each paragraph."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from pipeline.errors import UserError
from pipeline.sources.card import Card
from pipeline.sources.pairs import Pair, Rows, SetAside


def read_squad(card: Card) -> Rows:
    """Yield the rows of a SQuAD-format card.

    A question that has no answer is set aside as `no_answer`, one that is not of the format as
    `malformed`. Raises UserError where a file is not SQuAD JSON at all.
    """
    for file in card.files:
        for a, article in enumerate(_articles(card, file)):
            for p, paragraph in enumerate(_list(article, "paragraphs")):
                for q, question in enumerate(_list(paragraph, "qas")):
                    position = f"{file}#data.{a}.paragraphs.{p}.qas.{q}"
                    yield _row(position, article, paragraph, question)


def _articles(card: Card, file: str) -> list[Any]:
    content = card.read(file)
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        document = json.loads(content)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{card.path}: file {file!r} is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise UserError(f"{card.path}: file {file!r} is not in SQuAD format: it has no list 'data'")
    return list(document["data"])


def _list(parent: Any, key: str) -> list[Any]:
    value = parent.get(key) if isinstance(parent, dict) else None
    return value if isinstance(value, list) else []


def _row(position: str, article: Any, paragraph: Any, question: Any) -> Pair | SetAside:
    source_id = str(question.get("id", position)) if isinstance(question, dict) else position
    query = question.get("question") if isinstance(question, dict) else None
    passage = paragraph.get("context")
    if not isinstance(query, str) or not isinstance(passage, str):
        return SetAside(position, source_id, "malformed")
    answers = [answer["text"] for answer in _list(question, "answers") if isinstance(answer, dict) and "text" in answer]
    if not answers:
        return SetAside(position, source_id, "no_answer", query, passage)
    title = article.get("title") or ""
    return Pair(position, source_id, query, passage, str(title).replace("_", " "), str(answers[0]))
