"""What is installed: one package, `parallel_qa`, with the folders that a checkout has as links."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from mypy.find_sources import create_source_list
from mypy.options import Options

from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.sources.card import shipped_cards
from tests.conftest import Run

FOLDERS = ["data_cards", "flows", "pipeline", "profiles"]
DISTRIBUTION = "parallel_qa-0.1.0"


def packaged_files() -> set[str]:
    files = {
        f"parallel_qa/{path.relative_to(HOUSE).as_posix()}"
        for folder in FOLDERS
        for path in (HOUSE / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return {"parallel_qa/__init__.py", "parallel_qa/py.typed", *files}


def build(target: str, source: Path, output: Path) -> Path:
    """The archive that hatchling, which pip calls too, builds of the project in the folder `source`."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(output)], cwd=source, check=True, capture_output=True
    )
    (archive,) = output.iterdir()
    return archive


def unpacked(archive: Path, folder: Path) -> Path:
    shutil.unpack_archive(archive, folder, "zip" if archive.suffix == ".whl" else None)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", HOUSE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", HOUSE, tmp_path_factory.mktemp("sdist"))


def test_a_wheel_holds_one_package_and_each_file_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert Counter(names).most_common(1)[0][1] == 1
    assert {name for name in names if not name.startswith(f"{DISTRIBUTION}.dist-info/")} == packaged_files()


def test_an_sdist_holds_each_file_once_and_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        assert {member.type for member in archive.getmembers()} == {tarfile.REGTYPE}
        names = [member.name.removeprefix(f"{DISTRIBUTION}/") for member in archive.getmembers()]
    assert Counter(names).most_common(1)[0][1] == 1
    assert set(names) == packaged_files() | {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    source = unpacked(sdist, tmp_path / "source") / DISTRIBUTION
    assert build("wheel", source, tmp_path / "wheel").read_bytes() == wheel.read_bytes()


def test_an_editable_installation_refers_to_the_checkout_and_copies_nothing(tmp_path: Path) -> None:
    program = f"import hatchling.build; print(hatchling.build.build_editable({str(tmp_path)!r}))"
    built = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, check=True, capture_output=True, text=True).stdout.split()[-1]
    with zipfile.ZipFile(tmp_path / built) as archive:
        (path_file,) = (name for name in archive.namelist() if not name.startswith(f"{DISTRIBUTION}.dist-info/"))
        assert archive.read(path_file).decode().split() == [str(HOUSE)]


PROGRAM = """
import json, sys
import flows, pipeline
import parallel_qa
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.settings import HOUSE, load_settings
from parallel_qa.pipeline.sources.card import shipped_cards

batch = next(iter(open_release(sys.argv[1]).batches(alpha=0, batch_size=4, seed=3, steps=1)))
print(json.dumps({
    "flows": flows.__file__,
    "pipeline": pipeline.WHOSE,
    "package": parallel_qa.__file__,
    "house": str(HOUSE),
    "queries": batch.queries,
    "passages": batch.passages,
    "cards": shipped_cards(),
    "profile": load_settings("sample").name,
}))
"""


@pytest.fixture
def training_project(tmp_path: Path) -> Path:
    """A project whose folders are called as those of this repository are."""
    project = tmp_path / "training"
    for name in ("pipeline", "flows"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("WHOSE = 'the training project'\n", encoding="utf-8")
    return project


def run_installed(wheel: Path, project: Path, *arguments: object) -> str:
    """What Python prints in the folder `project`, with the wheel and what it depends on installed, but not the checkout.

    `-S` leaves out the files of site-packages that add folders, among them the checkout's.
    """
    installed = unpacked(wheel, project.parent / "installed")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *libraries])}
    command = [sys.executable, "-S", *map(str, arguments)]
    return subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_project_with_folders_of_the_same_names_draws_batches(wheel: Path, training_project: Path, sample_run: Run) -> None:
    said = json.loads(run_installed(wheel, training_project, "-c", PROGRAM, sample_run.folder))
    expected = next(iter(open_release(str(sample_run.folder)).batches(alpha=0, batch_size=4, seed=3, steps=1)))
    package = training_project.parent / "installed" / "parallel_qa"
    assert said == {
        "flows": str(training_project / "flows" / "__init__.py"),
        "pipeline": "the training project",
        "package": str(package / "__init__.py"),
        "house": str(package),
        "queries": expected.queries,
        "passages": expected.passages,
        "cards": shipped_cards(),
        "profile": "sample",
    }


def test_the_command_and_the_deployed_flows_are_installed(wheel: Path, training_project: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "parallel-qa = parallel_qa.flows.cli:main" in archive.read(f"{DISTRIBUTION}.dist-info/entry_points.txt").decode()
    assert "sample-qa" in run_installed(wheel, training_project, "-m", "parallel_qa.flows.cli", "sources", "list")


def test_the_image_is_built_from_files_that_are_there_and_they_are_enough(wheel: Path, tmp_path: Path) -> None:
    """COPY, done as Docker does it (links stay links), must give a folder of which the same wheel is built."""
    dockerfile = (HOUSE / "docker/Dockerfile").read_text(encoding="utf-8")
    copies = [shlex.split(line)[1:] for line in dockerfile.splitlines() if line.startswith("COPY ")]
    assert len(copies) == 7
    source = tmp_path / "source"
    source.mkdir()
    for *names, target in copies:
        for name in names:
            if (HOUSE / name).is_dir():
                shutil.copytree(HOUSE / name, source / target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(HOUSE / name, source / target)
    assert build("wheel", source, tmp_path / "wheel").read_bytes() == wheel.read_bytes()


def test_checkers_see_each_file_once() -> None:
    """The links would show them every file a second time."""
    shown = subprocess.run(
        [sys.executable, "-m", "ruff", "check", ".", "--show-files"], cwd=HOUSE, check=True, capture_output=True, text=True
    ).stdout
    counts = Counter(Path(line).resolve() for line in shown.splitlines())
    code = {path for folder in ("flows", "pipeline", "tests") for path in (HOUSE / folder).rglob("*.py")}
    assert code <= set(counts)
    assert set(counts.values()) == {1}

    config = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
    sources = create_source_list([str(HOUSE / name) for name in config["tool"]["mypy"]["files"]], Options())
    typed = Counter(Path(source.path or "").resolve() for source in sources)
    assert set(typed) == {HOUSE / "parallel_qa/__init__.py", *(path for path in code if not path.is_relative_to(HOUSE / "tests"))}
    assert set(typed.values()) == {1}
    assert {source.module.split(".")[0] for source in sources} == {"parallel_qa"}
