from __future__ import annotations

import pyarrow as pa
import pytest

from parallel_qa.pipeline.titles import judged_text, judged_texts, retriever_texts

TEXTS = {"title": ["Aldo", "", None, "Aldo", None], "text": ["A river.", "A river.", "A river.", None, None]}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_retriever_reads_the_title_before_the_text(kind: pa.DataType) -> None:
    texts = pa.table({name: pa.array(values, kind) for name, values in TEXTS.items()})
    assert retriever_texts(texts).to_pylist() == ["Aldo: A river.", "A river.", "A river.", None, None]
    assert retriever_texts(texts).type == kind
    assert retriever_texts(texts.select(["text"])).to_pylist() == TEXTS["text"]


def test_checks_see_the_title_on_a_line_of_its_own() -> None:
    assert judged_texts(pa.table(TEXTS)) == ["Aldo\nA river.", "A river.", "A river.", None, None]
    assert judged_texts(pa.table({"text": ["A river.", None]})) == ["A river.", None]
    assert (judged_text("Aldo", "A river."), judged_text("", "A river."), judged_text("Aldo", "")) == ("Aldo\nA river.", "A river.", "Aldo")
