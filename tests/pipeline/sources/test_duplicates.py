from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.sources.duplicates import NEARNESS, bands, nearly_equal
from parallel_qa.pipeline.sources.forms import words_and_symbols
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.sources.words import words
from parallel_qa.pipeline.store import Store, parquet_bytes
from tests.project import Project

TEA = "Tea grows here."
LONG = (
    "The bridge of Marlo was finished in 1642 after nine years of hard work by masons from the hills. It has seven arches of red "
    "stone, and until the great flood it carried the only road from the harbour to the market, where salt, tea and wool were "
    "sold every Friday."
)


def rows_of(project: Project, store: Store, rows: list[dict[str, object]], **cleaning: object) -> tuple[dict[str, list], dict[str, object]]:
    """The tables and facts that the stage makes of `rows`."""
    (project.folder / "rows.parquet").write_bytes(parquet_bytes(pa.Table.from_pylist(rows)))
    fields = {name: name for name in ("query", "passage", "title", "answer", "negatives") if name in rows[0]}
    project.card("questions", files=["rows.parquet"], rows=fields, licence="CC0-1.0")
    settings = project.settings(cleaning={"language": False, **cleaning})
    prepare(settings, store)
    record = units(settings)[0].result(store)
    return {table: store.read_tables(record, table).to_pylist() for table in ("queries", "passages", "pairs", "rejected")}, record.facts


def links(tables: dict[str, list]) -> list[tuple[int, int]]:
    return [(pair["query_row"], pair["passage_row"]) for pair in tables["pairs"]]


def test_texts_that_differ_in_case_and_punctuation_are_one(project: Project, store: Store) -> None:
    tables, facts = rows_of(
        project,
        store,
        [
            {"query": "What is mined?", "passage": "Salt is mined."},
            {"query": "what is MINED", "passage": "Tea grows here."},
            {"query": "Where does it grow?", "passage": "Tea grows - here!"},
            {"query": "What is mined", "passage": "SALT IS MINED"},
        ],
    )
    assert [row["text"] for row in tables["queries"]] == ["What is mined?", "Where does it grow?"]
    assert [row["text"] for row in tables["passages"]] == ["Salt is mined.", "Tea grows here."]
    assert links(tables) == [(0, 0), (0, 1), (1, 1)]  # a query with two positives keeps both
    assert [(row["position"], row["reason"], row["detail"]) for row in tables["rejected"]] == [
        ("rows.parquet#3", "duplicate", "the same as rows.parquet#0")
    ]
    assert facts["rows"] == {"read": 4, "kept": 3, "rejected": {"duplicate": 1}}


def test_symbols_that_carry_meaning_tell_questions_and_titles_apart(project: Project, store: Store) -> None:
    queries = ["What is C++?", "What is C#?", "What is C?", "What is “C#”", "Is $5 much?", "Is -5 much?", "is 5% much", "Is 5 % much?"]
    rows = [{"query": query, "passage": TEA, "title": query.removeprefix("What is ").strip("?")} for query in queries]
    tables, facts = rows_of(project, store, rows, min_letters=1)
    assert [row["text"] for row in tables["queries"]] == [queries[0], queries[1], queries[2], queries[4], queries[5], queries[6]]
    assert [row["title"] for row in tables["passages"]][:3] == ["C++", "C#", "C"]
    assert [(row["position"], row["reason"]) for row in tables["rejected"]] == [
        ("rows.parquet#3", "duplicate"),
        ("rows.parquet#7", "duplicate"),
    ]
    assert facts["merged"] == {"queries": {"near": 0}, "passages": {"near": 0}}


def test_of_texts_that_are_one_the_answers_and_negatives_are_the_first_ones(project: Project, store: Store) -> None:
    tables, _ = rows_of(
        project,
        store,
        [
            {"query": "What costs $5?", "passage": "Salt costs $5.", "answer": "salt", "negatives": ["Tea costs 5%.", "Salt costs 5."]},
            {"query": "what costs $5", "passage": "“Salt” costs $ 5", "answer": "Salt", "negatives": ["Wool costs more."]},
            {"query": "What costs 5?", "passage": "Salt costs 5.", "answer": "salt", "negatives": ["Tea costs $5."]},
        ],
        max_negatives=4,
    )
    texts = [row["text"] for row in tables["passages"]]
    assert texts == ["Salt costs $5.", "Tea costs 5%.", "Salt costs 5.", "Tea costs $5."]
    assert [(pair["query_row"], pair["passage_row"], pair["answer"], pair["negative_rows"]) for pair in tables["pairs"]] == [
        (0, 0, "salt", [1, 2]),
        (1, 2, "salt", [3]),
    ]


def test_passages_that_are_nearly_equal_are_one(project: Project, store: Store) -> None:
    tables, facts = rows_of(
        project,
        store,
        [
            {"query": "What is red?", "passage": LONG, "answer": "arches"},
            {"query": "What was sold?", "passage": LONG.replace("hard work", "work"), "answer": "salt"},
            {"query": "What is red?", "passage": LONG.replace("hard work", "work"), "answer": "arches"},
        ],
    )
    assert len(tables["passages"]) == 1
    assert links(tables) == [(0, 0), (1, 0)]
    assert [row["reason"] for row in tables["rejected"]] == ["near_duplicate"]
    assert facts["merged"] == {"queries": {"near": 0}, "passages": {"near": 1}}


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        (LONG.replace("1642", "1742"), "red"),  # another number
        (LONG.replace("Marlo", "Tessi"), "red"),  # another name
        (LONG.replace("nine years", "nine % years"), "red"),  # another symbol
        (LONG.replace("wool", "milk"), "milk"),  # the answer would be gone
        (LONG[: len(LONG) // 2], "red"),  # much shorter
    ],
)
def test_passages_that_differ_where_it_matters_are_two(project: Project, store: Store, changed: str, answer: str) -> None:
    tables, _ = rows_of(
        project,
        store,
        [{"query": "What is red?", "passage": LONG, "answer": "red"}, {"query": "What was sold?", "passage": changed, "answer": answer}],
    )
    assert len(tables["passages"]) == 2


def test_passages_of_two_titles_are_two(project: Project, store: Store) -> None:
    rows = [{"query": "Who?", "passage": LONG, "title": "Marlo"}, {"query": "Why?", "passage": LONG, "title": "Tessi"}]
    tables, _ = rows_of(project, store, rows)
    assert [row["title"] for row in tables["passages"]] == ["Marlo", "Tessi"]


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("is 5% of it much?", "is $5 of it much?", False),
        ("is it -5 there?", "is it 5 there?", False),
        ("is 3.5 enough?", "is 3,5 enough?", False),
        ("is C++ hard?", "is C# hard?", False),
        ("is 5% enough?", "is “5 %” enough!", True),
    ],
)
def test_nearly_equal_texts_have_the_same_symbols(one: str, other: str, near: bool) -> None:
    filling = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    texts = (f"{filling} {one}", f"{filling} {other}")
    assert nearly_equal(*texts, NEARNESS["queries"], tuple(words_and_symbols(pa.array(texts)).to_pylist())) == near


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("is it sold?", "is it not sold?", False),
        ("is it sold?", "isn't it sold?", False),
        ("isn’t it sold?", "isn't it sold?", True),
        ("sold with salt", "sold without salt", False),
        ("has it a town?", "has it no town?", False),
        ("it is never sold, and not made", "it is not sold, and never made", True),
        ("it is sold, never made", "it is sold, not made", False),
        ("is it sold?", "is it then sold?", True),
    ],
)
def test_nearly_equal_texts_deny_the_same_number_of_times(one: str, other: str, near: bool) -> None:
    filling = " ".join(f"word{first}{second}" for first in "abcdefgh" for second in "abcdefgh")
    texts = (f"{filling} {one}", f"{filling} {other}")
    for nearness in NEARNESS.values():
        assert nearly_equal(*texts, nearness, tuple(words_and_symbols(pa.array(texts)).to_pylist())) == near


def test_what_was_merged_stands_for_nothing(project: Project, store: Store) -> None:
    words_of = LONG.split()

    def without(*places: int) -> str:
        return " ".join(word for place, word in enumerate(words_of) if place not in places)

    texts = [LONG, without(11), without(11, 27), without(11, 27, 42)]
    tables, _ = rows_of(
        project, store, [{"query": f"Which one is {word}?", "passage": text} for word, text in zip("abcd", texts, strict=True)]
    )
    kept = [row["text"] for row in tables["passages"]]
    assert kept[0] == LONG
    for pair, text in zip(tables["pairs"], texts, strict=True):
        stands = kept[pair["passage_row"]]
        forms = tuple(words_and_symbols(pa.array([text, stands])).to_pylist())
        assert stands == text or nearly_equal(text, stands, NEARNESS["passages"], forms)  # directly, not over a third


def test_negatives_are_rows_and_no_positives(project: Project, store: Store) -> None:
    tables, facts = rows_of(
        project,
        store,
        [
            {
                "query": "What is mined?",
                "passage": "Salt is mined.",
                "negatives": ["Tea grows here.", "Silver is mined too.", "??", "SALT is mined"],
            },
            {"query": "what is mined", "passage": "Silver is mined too.", "negatives": [TEA]},
            {"query": "What is sold?", "passage": "Wool is sold.", "negatives": []},
        ],
        max_negatives=8,
    )
    texts = [row["text"] for row in tables["passages"]]
    assert texts == ["Salt is mined.", "Tea grows here.", "Silver is mined too.", "Wool is sold."]
    assert [pair["negative_rows"] for pair in tables["pairs"]] == [[1], [1], []]
    assert facts["negatives_dropped"] == 1
    again, _ = rows_of(
        project, store, [{"query": "Why?", "passage": "A passage.", "negatives": [f"Number {c} is wrong." for c in "abcdef"]}]
    )
    assert len(again["pairs"][0]["negative_rows"]) == 1


def test_a_text_without_a_run_is_near_to_nothing() -> None:
    split = words(words_and_symbols(pa.array(["one two", "three", "", "a b c d e f", "a b c d e f"])))
    table = bands(split, NEARNESS["passages"])
    assert table.num_rows == 5
    for column in table.columns:
        values = column.to_pylist()
        assert values[:3] == [None, None, None]
        assert values[3] == values[4] is not None


def test_the_same_rows_give_the_same_bytes(project: Project, tmp_path: Path) -> None:
    rows = [{"query": f"What is {n % 7} of {n % 11}?", "passage": f"{LONG} Number {n % 13}."} for n in range(300)]
    stores = [Store(str(tmp_path / name)) for name in ("one", "two")]
    for store in stores:
        rows_of(project, store, rows)
    one, two = (units(project.settings(cleaning={"language": False}))[0].result(store) for store in stores)
    assert one.files == two.files
