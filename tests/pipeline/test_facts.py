from __future__ import annotations

import pytest

from parallel_qa.pipeline import facts
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import Store


def test_what_was_kept_last_is_recalled(store: Store) -> None:
    about = {"card": {"name": "a"}, "cleaning": 1}
    assert facts.recall(store, "english/a", about) is None
    facts.remember(store, "english/a", about, {"fingerprint": "f1"})
    facts.remember(store, "english/a", about, {"fingerprint": "f2"})
    assert facts.recall(store, "english/a", about) == {"fingerprint": "f2"}
    assert facts.recall(store, "english/a", about | {"cleaning": 2}) is None
    assert facts.recall(store, "english/b", about) is None


def test_the_same_facts_are_not_written_again(store: Store) -> None:
    facts.remember(store, "model", {"model": "a"}, {"name": "a"})
    [path] = store.walk("facts")
    written = store._fs.modified(store._full(path))
    facts.remember(store, "model", {"model": "a"}, {"name": "a"})
    assert store._fs.modified(store._full(path)) == written
    assert list(store.walk("facts")) == [path]


@pytest.mark.parametrize("content", [b"", b'{"fingerprint": ', b"\xff", b"[]", b"null"])
def test_a_damaged_file_is_named(store: Store, content: bytes) -> None:
    facts.remember(store, "model", {"model": "a"}, {"name": "a"})
    [path] = store.walk("facts")
    store.write(path, content)
    with pytest.raises(UserError, match=r"facts/model-[0-9a-f]{16}\.json is damaged: delete it and run again"):
        facts.recall(store, "model", {"model": "a"})
