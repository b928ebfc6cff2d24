"""Whatever somebody writes into a manifest, `verify` says what is wrong: it neither fails, nor hangs, nor fills the memory."""

from __future__ import annotations

import copy
import json
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import resealing
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.layout.manifest import FORMAT, MANIFEST, read_manifest, sealed
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.store import Store
from tests.conftest import Run

MOST_BYTES = 50e6
"""What Python and numpy may take at once; the release takes a few megabytes."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.sampled_from(
        [10**12, 10**13, 2**63, 10**400, -1, 0, 1e308, float("inf"), float("nan"), "x", "", "../x", "a/b", "\ud800", "0" * 64]
    )
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def release(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample release, whose manifest is written anew each time."""
    folder = tmp_path_factory.mktemp("edited") / "release"
    shutil.copytree(sample_run.folder, folder)
    return folder


def found(folder: Path) -> list[str]:
    return [str(fault) for fault in verify(Store(str(folder), writable=False))]


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON below the top."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(manifest: dict[str, Any], path: tuple[Any, ...], how: str, value: Any) -> dict[str, Any]:
    """The manifest with a place replaced, deleted, or there twice."""
    result = copy.deepcopy(manifest)
    parent: Any = result
    for key in path[:-1]:
        parent = parent[key]
    if how == "replaced":
        parent[path[-1]] = value
    elif how == "deleted":
        del parent[path[-1]]
    elif isinstance(parent, list):
        parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
    else:
        parent[f"{path[-1]}x"] = copy.deepcopy(parent[path[-1]])
    return result


@settings(max_examples=150)
@given(st.data(), st.sampled_from(["replaced", "replaced", "deleted", "twice"]), st.booleans())
def test_any_change_of_a_manifest_is_found(sample_run: Run, release: Path, data: st.DataObject, how: str, seal: bool) -> None:
    original = sample_run.release.manifest
    by_depth: dict[int, list[tuple[Any, ...]]] = {}
    for path in places(original):
        by_depth.setdefault(len(path), []).append(path)
    path = data.draw(st.sampled_from(by_depth[data.draw(st.sampled_from(sorted(by_depth)))]))
    manifest = changed(original, path, how, data.draw(json_values) if how == "replaced" else None)
    if seal:
        try:
            manifest = sealed(manifest)
        except UnicodeEncodeError:  # half of a surrogate pair, which no seal is of
            seal = False
    (release / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    tracemalloc.start()
    try:
        faults = found(release)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert faults or json.dumps(manifest, sort_keys=True) == json.dumps(original, sort_keys=True), (path, how)
    assert peak < MOST_BYTES


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda m: m.update(blocks=10**12), f"manifest.json: blocks is {10**12}, and there are "),
        (lambda m: m["rows"].update(passages=10**13), f"manifest.json: rows.passages is {10**13}, and its shards have "),
        (lambda m: m["rows"].update(passages=-1), "manifest.json: rows.passages: Input should be greater than or equal to 0"),
        (lambda m: m["rows"].update(passages=2.0), "manifest.json: rows.passages: Input should be a valid integer"),
        (lambda m: m.update(settings={}), "manifest.json: settings.name: Field required"),
        (lambda m: m["settings"].pop("filters"), "manifest.json: settings.filters: Field required"),
        (lambda m: m["settings"]["release"].update(seed="x"), "manifest.json: settings.release.seed: Input should be a valid integer"),
        (lambda m: m["settings"]["release"].update(seed=2**64), "manifest.json: settings.release.seed is above 9223372036854775807"),
        (lambda m: m["files"].update({"../x": m["files"]["README.md"]}), "manifest.json: files.../x.[key]: String should match pattern"),
        (
            lambda m: m["languages"].reverse(),
            "manifest.json: languages: eng_Latn has to be the first, and none may stand twice",
        ),
        (lambda m: m["files"]["pairs/00000.parquet"].pop("rows_sha256"), "pairs/00000.parquet: the checksum of its rows is not that of"),
        (
            lambda m: m["files"]["pairs/00000.parquet"].update(rows=10**13),
            "pairs/00000.parquet: has ",
        ),
        (lambda m: m["files"]["README.md"].update(rows=3), "manifest.json: files: README.md is no table, and has rows here"),
    ],
)
def test_absurd_values_are_named(sample_run: Run, release: Path, change: Callable[[dict[str, Any]], object], fault: str) -> None:
    manifest = copy.deepcopy(sample_run.release.manifest)
    change(manifest)
    (release / MANIFEST).write_text(json.dumps(sealed(manifest)), encoding="utf-8")
    assert any(line.startswith(fault) for line in found(release)), found(release)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[" * 100_000, "its brackets are nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "its brackets are nested more than 16 deep"),
        (b'{"a": 1, "a": 1}', "a name stands twice in an object"),
        (b'{"a": NaN}', "NaN is no finite number"),
        (b'{"a": 1e999}', "1e999 is no finite number"),
        (b"[]", "it is no object"),
        ('{"a": 1}'.encode("utf-16"), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'\xef\xbb\xbf{"a": 1}', "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
    ],
)
def test_what_is_no_manifest_is_named(release: Path, content: bytes, fault: str) -> None:
    (release / MANIFEST).write_bytes(content)
    assert found(release) == [f"manifest.json: no JSON: {fault}"]


def test_a_manifest_of_an_earlier_version_says_what_to_do(sample_run: Run, release: Path) -> None:
    manifest = sealed(sample_run.release.manifest | {"format": FORMAT - 1})
    (release / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    what = (
        f"format is {FORMAT - 1}, and this version reads {FORMAT}: publish the release again from its store, or read it with the version "
    )
    assert found(release) == [f"manifest.json: {what}of parallel-qa that made it"]
    with pytest.raises(UserError, match=f"here: format is {FORMAT - 1}, and this version reads {FORMAT}: publish the release again"):
        read_manifest((release / MANIFEST).read_bytes(), "here")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("licence", "CC0-1.0"),
        ("version", "test-00000000"),
        ("model", {"name": "other", "licence": "Apache-2.0", "fingerprint": "0" * 16, "quantization": None}),
        ("settings.filters.min_numbers", 0.9),
        ("settings.translation.beam_size", 4),
        ("sources.questions.title", "Another"),
        ("sources.questions.rows.read", 1),
        ("evaluation.rules", {}),
    ],
)
def test_what_was_known_before_the_files_contradicts_all_of_them(sample_run: Run, release: Path, field: str, value: Any) -> None:
    *path, last = field.split(".")
    (release / MANIFEST).write_text(json.dumps(sample_run.release.manifest), encoding="utf-8")

    def change(manifest: dict[str, Any]) -> None:
        for key in path:
            manifest = manifest[key]
        manifest[last] = value

    resealing.change_manifest(release, change)
    faults = found(release)
    for name in sample_run.release.manifest["files"]:
        expected = f"{name}: its metadata have another statement than the manifest"
        assert (expected in faults) == name.endswith(".parquet")
