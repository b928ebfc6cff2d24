"""A text and its title as one: as retrievers read them, and as checks judge them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = ": "
"""Stands between title and text where a retriever reads them."""


def retriever_texts(texts: pa.Table) -> pa.ChunkedArray:
    """Row by row "title: text" of a table with the column `text` and perhaps `title`; the text alone where it has no title.

    Null where the text is null.
    """
    text = texts["text"]
    if "title" not in texts.column_names:
        return text
    title = pc.fill_null(texts["title"].cast(text.type), "")
    return pc.if_else(pc.equal(title, ""), text, pc.binary_join_element_wise(title, text, pa.scalar(SEPARATOR, text.type)))


def judged_text(*parts: str) -> str:
    """Title and text on lines of their own, those that are empty left out: what checks and searches see of a text."""
    return "\n".join(part for part in parts if part)


def judged_texts(texts: pa.Table) -> list[str | None]:
    """Row by row the `judged_text` of a table with the column `text` and perhaps `title`; None where the text is null."""
    columns = [texts[name].to_pylist() for name in ("title", "text") if name in texts.column_names]
    return [None if parts[-1] is None else judged_text(*(part or "" for part in parts)) for parts in zip(*columns, strict=True)]
