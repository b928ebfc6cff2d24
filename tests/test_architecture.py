"""The arrows of docs/architecture.md, and what the code must never do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_qa.pipeline.settings import HOUSE

FILES = sorted([*(HOUSE / "pipeline").rglob("*.py"), *(HOUSE / "flows").rglob("*.py")])
BASE = {path.stem for path in (HOUSE / "pipeline").glob("*.py")}  # these may use each other alone
ROOMS = ["sources", "translation", "filters", "planning", "release", "batches"]  # each may use those before it


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    parts = path.relative_to(HOUSE / "pipeline").parts
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.is_relative_to(HOUSE / "pipeline")], ids=lambda p: str(p.relative_to(HOUSE))
)
def test_pipeline_knows_nothing_of_prefect_and_rooms_only_of_earlier_ones(path: Path) -> None:
    own = room(path)
    for module in imports(path):
        assert module.split(".")[0] not in {"prefect", "typer"}
        assert not module.startswith("parallel_qa.flows")
        if not module.startswith("parallel_qa.pipeline.") or own == "sample":
            continue
        used = module.split(".")[2]
        if own in BASE:
            assert used in BASE, module
        elif own in ROOMS:
            assert used in BASE or (used in ROOMS and ROOMS.index(used) <= ROOMS.index(own)), module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_no_pickle_and_no_remote_code(path: Path) -> None:
    assert not {"pickle", "dill", "cloudpickle", "joblib", "shelve"} & {module.split(".")[0] for module in imports(path)}
    assert "trust_remote_code" not in path.read_text(encoding="utf-8")


def test_a_light_installation_runs_without_torch() -> None:
    heavy = {
        path.relative_to(HOUSE).as_posix()
        for path in FILES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0] in {"torch", "transformers", "sentence_transformers"}
        or name == "parallel_qa.pipeline.batches.adapters.data_loading"
    }
    assert heavy == {
        "pipeline/batches/adapters/data_loading.py",
        "pipeline/batches/adapters/trainer.py",
        "pipeline/sample/train.py",
    }
    assert not [path for path in FILES if "parallel_qa.pipeline.batches.adapters.trainer" in set(imports(path))]


def test_batches_need_neither_torch_nor_the_rest_of_the_pipeline() -> None:
    """Data go through numpy and pyarrow alone; what training machines need not have is not even imported."""
    program = "import sys, parallel_qa.pipeline.batches; print(*{name.split('.')[0] for name in sys.modules})"
    imported = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())
    assert {"numpy", "pyarrow"} <= imported
    assert not imported & {"torch", "datasets", "transformers", "prefect", "ctranslate2", "sentencepiece", "langdetect", "duckdb", "plotly"}


@pytest.mark.parametrize("path", [*FILES, *sorted((HOUSE / "tests").rglob("*.py")), *sorted((HOUSE / "benchmarks").rglob("*.py"))], ids=str)
def test_the_project_is_imported_by_its_one_name(path: Path) -> None:
    """`pipeline` and `flows` are also what other projects call theirs."""
    assert not [module for module in imports(path) if module.split(".")[0] in {"pipeline", "flows"}]


RELEASE = {"layout": set(), "making": {"layout"}, "reading": {"layout"}, "sharing": {"layout", "making", "reading"}}
"""The parts of the room `release`, and those that each may use besides itself."""


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(HOUSE / "pipeline/release")], ids=lambda p: p.stem)
def test_a_release_is_made_and_read_apart(path: Path) -> None:
    inside = path.relative_to(HOUSE / "pipeline/release").parts
    own = inside[0] if len(inside) > 1 else ""
    used = {module.split(".")[3] for module in imports(path) if module.startswith("parallel_qa.pipeline.release.")}
    assert used <= {own, *RELEASE.get(own, set())}
