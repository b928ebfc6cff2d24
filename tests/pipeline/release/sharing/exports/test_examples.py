from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports.examples import Example, Examples
from parallel_qa.pipeline.store import Store
from tests.pipeline.release.sharing.conftest import Edited, with_negatives

FIRST = "pairs/00000.parquet"


def examples(store: Store, scratch: Path, negatives: int, fewest: int = 0) -> tuple[Examples, list[Example]]:
    found = Examples(Reader(store, scratch), [("eng_Latn", "deu_Latn")], negatives, fewest)
    return found, list(found)


@pytest.fixture
def german(mined_folder: Path) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = pq.read_table(mined_folder / "passages/deu_Latn").to_pylist()
    return rows


def test_a_passage_that_another_pair_gives_as_an_answer_is_no_negative(
    edited: Edited, german: list[dict[str, str | None]], tmp_path: Path
) -> None:
    kept = [row for row, passage in enumerate(german) if passage["text"]]

    def change(pairs: pa.Table) -> pa.Table:
        """The first pair's query has an answer more, in another source, and both answers are negatives of it beside a third passage."""
        rows = pairs.slice(0, 1).to_pylist()
        own, other, third = rows[0]["passage_row"], *[row for row in kept if row != rows[0]["passage_row"]][:2]
        rows[0]["negative_rows"] = [other, third, own]
        rows.append(rows[0] | {"passage_row": other, "negative_rows": [], "source": "elsewhere", "passage_langs": 1})
        return pa.Table.from_pylist(rows, pairs.schema)

    store = edited({FIRST: change})
    first, *_ = (example for example in examples(store, tmp_path, 3)[1])
    answers = pq.read_table(f"{store.root}/{FIRST}")["passage_row"].to_pylist()
    third = next(row for row in kept if row not in answers)
    assert first.negative_ids == [f"{german[third]['id']}-de"]
    assert first.negatives == [
        german[third]["text"] if not german[third]["title"] else f"{german[third]['title']}: {german[third]['text']}"
    ]


def test_a_passage_with_the_words_of_an_answer_is_no_negative(
    edited: Edited, german: list[dict[str, str | None]], mined_folder: Path, tmp_path: Path
) -> None:
    size = len(pq.read_table(mined_folder / "passages/deu_Latn/00000.parquet"))
    pairs = pq.read_table(mined_folder / FIRST).to_pylist()
    place = next(place for place, pair in enumerate(pairs) if pair["passage_row"] < size and german[pair["passage_row"]]["text"])
    own = pairs[place]["passage_row"]
    alike, *others = (row for row in range(size) if row != own and german[row]["text"])

    def say_the_same(passages: pa.Table) -> pa.Table:
        rows = passages.to_pylist()
        rows[alike] |= {"text": german[own]["text"], "title": "Another title"}
        return pa.Table.from_pylist(rows, passages.schema)

    only = with_negatives([[alike, *others[:1]] if row == place else [] for row in range(len(pairs))])
    store = edited({FIRST: only, "passages/deu_Latn/00000.parquet": say_the_same})
    given_out = next(example.negative_ids for example in examples(store, tmp_path, 2)[1] if example.negatives)
    assert given_out == [f"{german[others[0]]['id']}-de"]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), most=st.integers(1, 4))
def test_negatives_survived_answer_nothing_and_keep_their_order(
    edited: Edited,
    german: list[dict[str, str | None]],
    mined_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    most: int,
) -> None:
    pairs = pq.read_table(mined_folder / FIRST).to_pylist()
    row = st.integers(0, len(german) - 1)
    lists = data.draw(st.lists(st.lists(row, max_size=8), min_size=len(pairs), max_size=len(pairs)))
    store = edited({FIRST: with_negatives(lists)})
    found, given_out = examples(store, tmp_path_factory.mktemp("scratch"), most, fewest=1)
    wanted = []
    for pair, negatives in zip(pairs, lists, strict=True):
        answers = {german[other["passage_row"]]["text"] for other in pairs if other["query_row"] == pair["query_row"]}
        texts = {german[row]["text"]: f"{german[row]['id']}-de" for row in reversed(negatives)}
        firsts = list(dict.fromkeys(german[row]["text"] for row in negatives))
        ids = [texts[text] for text in firsts if text is not None and text not in answers][:most]
        bit = 1 << Reader(store, Path()).languages.index("deu_Latn")
        if pair["query_langs"] & 1 and pair["passage_langs"] & bit:
            wanted.append((f"{pair_id(mined_folder, pair['query_row'])}-en", ids))
    rest = [(example.query_id, example.negative_ids) for example in given_out]
    assert rest[: sum(bool(ids) for _, ids in wanted)] == [(query, ids) for query, ids in wanted if ids]
    assert found.counts[0].examples == len(given_out)


def pair_id(folder: Path, row: int) -> str:
    return str(pq.read_table(folder / "queries/eng_Latn")["id"][row].as_py())


def test_examples_with_too_few_negatives_are_counted(mined: Store, tmp_path: Path) -> None:
    found, all_of_them = examples(mined, tmp_path, 2)
    short = sum(len(example.negatives) < 2 for example in all_of_them)
    strict, enough = examples(mined, tmp_path, 2, fewest=2)
    assert found.counts[0].left_out == 0 and strict.counts[0].left_out == short
    assert enough == [example for example in all_of_them if len(example.negatives) == 2]
