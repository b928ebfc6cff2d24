from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import HOUSE, Settings
from parallel_qa.pipeline.store import FileRef, Store
from parallel_qa.pipeline.translation import repeated, text_index
from parallel_qa.pipeline.translation.packs import Pack, checksum_of

SENTENCE = st.tuples(st.text("abcé", max_size=2), st.booleans())
FILE = st.lists(SENTENCE, min_size=1, max_size=6)
PACKS = st.lists(st.lists(FILE, min_size=1, max_size=3), min_size=2, max_size=5)


def settings_of(shard_sentences: int) -> Settings:
    content = {"name": "test", "sources": ["a"], "languages": ["de"], "translation": {"shard_sentences": shard_sentences}}
    return Settings.model_validate(content | {"folder": HOUSE})


def written(store: Store, content: list[list[list[tuple[str, bool]]]]) -> list[Pack]:
    """Packs of files with these sentences, and whether each is checked, two packs a source."""
    packs = []
    for number, files in enumerate(content):
        source = f"source-{number // 2}"
        with store.write_unit(f"segments/eng_Latn/{source}/queries/{number:05d}", "f") as writer:
            for part, rows in enumerate(files):
                table = {"text": [text for text, _ in rows], "checked": [checked for _, checked in rows]}
                writer.write_table(f"sentences/{part:05d}.parquet", pa.table(table, schema=schema.SENTENCES))
        record = store.record(f"segments/eng_Latn/{source}/queries/{number:05d}", "f")
        assert record is not None
        refs: dict[str, FileRef] = {
            f"queries/{number:05d}/{part:05d}": record.ref(name) for part, name in enumerate(record.shards("sentences"))
        }
        packs.append(Pack(source, number % 2, "eng_Latn", refs))
    return packs


def repeated_sentences(store: Store, packs: list[Pack], shard_sentences: int = 1000) -> list[tuple[str, bool]]:
    """What the unit of the packs holds."""
    settings = settings_of(shard_sentences)
    [unit] = repeated.units(settings, packs)
    repeated.do(settings, store, unit, LogProgress())
    record = unit.result(store)
    assert record.facts["packs"] == sorted(checksum_of(pack.files.values()) for pack in packs)
    sizes = [record.files[name].rows or 0 for name in record.shards("sentences")]
    assert all(size == shard_sentences for size in sizes[:-1]) and sizes[-1] <= shard_sentences
    table = store.read_tables(record, "sentences")
    return list(zip(table["text"].to_pylist(), table["checked"].to_pylist(), strict=True))


def expected_sentences(content: list[list[list[tuple[str, bool]]]]) -> list[tuple[str, bool]]:
    flat = [sentence for files in content for rows in files for sentence in rows]
    checked = {text for text, check in flat if check}
    packs_with = {text: sum(any(text == other for rows in files for other, _ in rows) for files in content) for text, _ in flat}
    return [(text, text in checked) for text in dict.fromkeys(text for text, _ in flat) if packs_with[text] > 1]


@pytest.mark.parametrize("buffered", [2, 1 << 20])
@hypothesis_settings(max_examples=40)
@given(PACKS, st.integers(1, 4))
def test_they_are_those_of_several_packs_in_order_and_checked_if_anywhere(
    buffered: int, content: list[list[list[tuple[str, bool]]]], shard_sentences: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(text_index, "_BUFFERED", buffered)
        store = Store(folder)
        assert repeated_sentences(store, written(store, content), shard_sentences) == expected_sentences(content)


def test_a_sentence_of_every_pack_is_one_of_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index, "_BUFFERED", 5)
    content = [[[("everywhere", number == 17), (f"only {number}", True)]] for number in range(30)]
    assert repeated_sentences(store, written(store, content)) == [("everywhere", True)]


def test_a_sentence_that_one_pack_has_in_several_files_is_none_of_them(store: Store) -> None:
    content = [[[("a", True), ("b", False)], [("a", False)]], [[("b", False)]]]
    assert repeated_sentences(store, written(store, content)) == [("b", False)]


def test_packs_that_share_nothing_have_an_empty_unit(store: Store) -> None:
    assert repeated_sentences(store, written(store, [[[("a", True)]], [[("b", True)]]])) == []


def test_one_pack_needs_no_unit(store: Store) -> None:
    [pack] = written(store, [[[("a", True)]]])
    assert repeated.units(settings_of(10), [pack]) == []
    assert repeated.units(settings_of(10), []) == []


def test_a_unit_stays_the_same_until_a_sentence_or_the_size_of_its_files_does(tmp_path: Path) -> None:
    def unit_of(store: str, content: list[list[list[tuple[str, bool]]]], size: int = 10) -> str:
        [unit] = repeated.units(settings_of(size), written(Store(str(tmp_path / store)), content))
        assert unit.path == "repeated/eng_Latn"
        return unit.fingerprint

    content = [[[("a", True)]], [[("a", False)]]]
    first = unit_of("first", content)
    assert unit_of("second", content) == first
    others = {unit_of("third", [[[("a", True)]], [[("a", True)]]]), unit_of("fourth", content, 11), unit_of("fifth", content[::-1])}
    assert len(others | {first}) == 4
