"""Functions for what the expressions of a card cannot say: a raw row in, a plainer row out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def natural_questions(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the original Natural Questions, whose passages are ranges of the tokens of a page.

    Gives `id`, `question`, `title`, `long_answer` (None where no annotator marked one), `short_answer` and
    `candidates` (the other top-level passages of the page).
    """
    document, annotations = row["document"], row["annotations"]
    tokens, is_html = document["tokens"]["token"], document["tokens"]["is_html"]

    def text(start: int, end: int) -> str:
        return " ".join(token for token, html in zip(tokens[start:end], is_html[start:end], strict=True) if not html)

    gold = next((answer for answer in annotations["long_answer"] if answer["start_token"] >= 0), None)
    candidates = row["long_answer_candidates"]
    ranges = zip(candidates["start_token"], candidates["end_token"], candidates["top_level"], strict=True)
    others = [
        (start, end) for start, end, top in ranges if top and (gold is None or end <= gold["start_token"] or start >= gold["end_token"])
    ]
    short = [answer["text"][0] for answer in annotations["short_answers"] if answer["text"]]
    return {
        "id": row["id"],
        "question": row["question"]["text"],
        "title": document["title"],
        "long_answer": None if gold is None else text(gold["start_token"], gold["end_token"]),
        "short_answer": short[0] if short else None,
        "candidates": [text(start, end) for start, end in others],
    }


ADAPTERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"natural_questions": natural_questions}
