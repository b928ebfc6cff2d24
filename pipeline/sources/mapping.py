"""From a raw row to pairs, as a card's `rows` says: JMESPath, with rows grouped, exploded and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jmespath
import sentencex

from parallel_qa.pipeline.sources.adapters import ADAPTERS
from parallel_qa.pipeline.sources.card import Excerpt, RowMapping
from parallel_qa.pipeline.sources.records import Pair, Passage, Rows, SetAside, encodable

MAX_GROUP = 10_000
"""Rows in one group at most: what is kept in memory at once."""


class Raw(NamedTuple):
    """A row as its file has it, and its place there."""

    position: str
    row: dict[str, Any]


class MalformedError(Exception):
    """A row is not of the form that the card describes; the message is the reason."""


UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What code raises that meets a row of other types than it was written for; errors of JMESPath are ValueErrors."""
Reader = Callable[[Mapping[str, Any]], Any]


def reader(expression: str) -> Reader:
    """A function that evaluates `expression` on a row. It raises MalformedError where the row has other types than needed."""
    compiled = jmespath.compile(expression)
    if compiled.parsed["type"] == "field":  # most expressions are the name of a column
        name = compiled.parsed["value"]
        return lambda row: row.get(name)

    def evaluate(row: Mapping[str, Any]) -> Any:
        try:
            return compiled.search(row)
        except UNFORESEEN as error:
            raise MalformedError("malformed") from error

    return evaluate


def columns(expressions: Iterable[str]) -> set[str]:
    """The columns of a table that `expressions` may look at."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if node["type"] == "field":
            found.add(node["value"])
        for child in node["children"]:
            if isinstance(child, dict):
                walk(child)

    for expression in expressions:
        walk(jmespath.compile(expression).parsed)
    return found


class Mapper:
    """Maps the raw rows of one table."""

    def __init__(self, mapping: RowMapping) -> None:
        self._mapping = mapping
        self._group = reader(mapping.group) if mapping.group else None
        self._explode = [(name, _label(name, path), reader(path)) for name, path in mapping.explode.items()]
        self._keep = [(reason, reader(condition)) for reason, condition in mapping.keep.items()]
        self._id, self._query, self._passage, self._title, self._answer, self._negatives = (
            reader(path) if path else None
            for path in (mapping.id, mapping.query, mapping.passage, mapping.title, mapping.answer, mapping.negatives)
        )
        self._answers = reader(mapping.excerpt.answers) if mapping.excerpt else None

    @property
    def columns(self) -> set[str] | None:
        """The columns to read; None for all."""
        if self._mapping.adapter:
            return None
        fields = self._mapping.model_dump(exclude={"adapter", "explode", "keep", "excerpt"}, exclude_none=True)
        paths = [*fields.values(), *self._mapping.explode.values(), *self._mapping.keep.values()]
        if self._mapping.excerpt:
            paths.append(self._mapping.excerpt.answers)
        return columns(paths)

    def rows(self, raws: Iterable[Raw | SetAside]) -> Rows:
        """The pairs in `raws`, and what has to be set aside."""
        if self._mapping.adapter:
            raws = _adapted(ADAPTERS[self._mapping.adapter], raws)
        if self._group:
            raws = _grouped(self._group, raws)
        for raw in raws:
            if isinstance(raw, SetAside):
                yield raw
                continue
            for position, row in self._exploded(raw.position, raw.row, 0):
                yield self._pair(position, row)

    def _exploded(self, position: str, row: dict[str, Any], level: int) -> Iterator[Raw]:
        if level == len(self._explode):
            yield Raw(position, row)
            return
        name, label, read = self._explode[level]
        try:
            items = read(row)
        except MalformedError:
            items = None
        if isinstance(items, dict) and all(isinstance(column, list) for column in items.values()):
            # `datasets` hands out a sequence of mappings as a mapping of lists.
            items = [dict(zip(items, values, strict=False)) for values in zip(*items.values(), strict=False)]
        if not isinstance(items, list) or not items:
            items = [None]  # the row stays one row, and is set aside where something is missing in it
        for number, item in enumerate(items):
            yield from self._exploded(f"{position}.{label}.{number}", {**row, name: item}, level + 1)

    def _pair(self, position: str, row: dict[str, Any]) -> Pair | SetAside:
        source_id, query, passage = position, None, None
        try:
            if self._id:
                value = self._id(row)
                source_id = position if value is None else str(value)
            query = _text_or_none(self._query(row) if self._query else None)
            passage = _text_or_none(self._passage(row) if self._passage else None)
            if query is None or passage is None:
                return SetAside(position, source_id, "no_query" if query is None else "no_passage", query, passage)
            for reason, condition in self._keep:
                if not condition(row):
                    return SetAside(position, source_id, reason, query, passage)
            title = (_text_or_none(self._title(row)) if self._title else None) or ""
            answer = _first_answer(self._answer(row)) if self._answer else ""
            negatives = _passages(self._negatives(row)) if self._negatives else ()
            if not encodable(source_id, query, passage, title, answer):
                return SetAside(position, source_id, "broken_encoding", query, passage)
            if self._mapping.excerpt and self._answers:
                found = excerpt(passage, _as_list(self._answers(row)), self._mapping.excerpt)
                if found is None:
                    return SetAside(position, source_id, "answer_not_in_passage", query, passage)
                passage = found
        except MalformedError as error:
            return SetAside(position, source_id, str(error), query, passage)
        except RecursionError:  # an id or an answer of a thousand nested lists
            return SetAside(position, position, "malformed", query, passage, "nested too deeply")
        return Pair(position, source_id, query, passage, title, answer, negatives)


def excerpt(passage: str, answers: list[Any], wanted: Excerpt) -> str | None:
    """The first part of `passage`, of whole sentences and at most `wanted.words` words, that holds one of `answers`.

    A longer sentence is a part of its own. None where no part holds an answer.
    """
    parts: list[list[str]] = []
    room = 0
    for sentence in sentencex.segment("en", passage):
        words = len(sentence.split())
        if not parts or words > room:
            parts.append([])
            room = wanted.words
        parts[-1].append(sentence)
        room -= words
    needles = [answer.casefold().strip() for answer in answers if isinstance(answer, str) and answer.strip()]
    for part in parts:
        text = "".join(part).strip()
        if any(needle in text.casefold() for needle in needles):
            return text
    return None


def _label(name: str, path: str) -> str:
    """What a position calls the list `path`: as the file does, where that is a plain name."""
    last = path.rsplit(".", 1)[-1]
    return last if last.isidentifier() else name


def _adapted(adapter: Callable[[dict[str, Any]], dict[str, Any]], raws: Iterable[Raw | SetAside]) -> Iterator[Raw | SetAside]:
    for raw in raws:
        if isinstance(raw, SetAside):
            yield raw
            continue
        try:
            yield Raw(raw.position, adapter(raw.row))
        except UNFORESEEN:
            yield SetAside(raw.position, raw.position, "malformed")


def _grouped(key: Reader, raws: Iterable[Raw | SetAside]) -> Iterator[Raw | SetAside]:
    """Rows with the same key that follow each other, as one."""
    value: Any = None
    position = ""
    rows: list[dict[str, Any]] = []
    for raw in raws:
        if isinstance(raw, SetAside):
            yield raw
            continue
        try:
            new = key(raw.row)
            other = bool(rows) and new != value
        except (MalformedError, RecursionError):
            yield SetAside(raw.position, raw.position, "malformed")
            continue
        if other or len(rows) == MAX_GROUP:
            yield Raw(position, {**rows[0], "rows": rows})
            rows = []
        if not rows:
            value, position = new, raw.position
        rows.append(raw.row)
    if rows:
        yield Raw(position, {**rows[0], "rows": rows})


def _text_or_none(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise MalformedError("malformed")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _first_answer(value: Any) -> str:
    """An answer for people: the first of several."""
    items = _as_list(value)
    return "" if not items or items[0] is None else str(items[0])


def _passages(value: Any) -> tuple[Passage, ...]:
    passages = []
    for item in _as_list(value):
        if isinstance(item, str):
            passages.append(Passage("", item))
        elif isinstance(item, dict) and isinstance(item.get("text"), str):
            passages.append(Passage(str(item.get("title") or ""), item["text"]))
        elif item is not None:
            raise MalformedError("malformed")
    return tuple(dict.fromkeys(passages))


SQUAD = RowMapping(
    explode={"paragraph": "paragraphs", "qa": "paragraph.qas"},
    keep={"no_answer": "qa.answers[0]"},
    id="qa.id",
    query="qa.question",
    passage="paragraph.context",
    title="title",
    answer="qa.answers[0].text",
)
"""SQuAD JSON: articles, their paragraphs, the questions on each paragraph."""
