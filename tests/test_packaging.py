"""What is installed: one package, `parallel_qa`, with the folders that a checkout has as links."""

from __future__ import annotations

import json
import os
import platform
import re
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
from packaging.version import Version

from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.sources.card import shipped_cards
from tests.conftest import Run
from tests.test_setup import LOCK, PYTHONS

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


LIGHT_PROGRAM = """
import json, sys
from importlib.metadata import distributions
import transformers
from parallel_qa.pipeline.batches import open_release

batch = next(iter(open_release(sys.argv[1]).batches(alpha=0, batch_size=4, seed=3, steps=1)))
print(json.dumps({
    "transformers": transformers.__version__,
    "queries": batch.queries,
    "passages": batch.passages,
    "installed": [distribution.name.lower().replace("_", "-") for distribution in distributions()],
}))
"""

ONLY_FOR_RUNS = {"ctranslate2", "datasets", "duckdb", "httpx2", "prefect", "sentencepiece", "tenacity", "xxhash"}
"""Some of the extra `run`. No training library should have to live beside them."""


def uv(*arguments: object, cwd: Path) -> str:
    command = [sys.executable, "-m", "uv", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def another_python(folder: Path) -> str:
    """The oldest Python of this machine that the project allows, but this one only if there is no other."""
    found = json.loads(uv("python", "list", "--only-installed", "--output-format", "json", cwd=folder))
    allowed = [python for python in found if python["implementation"] == "cpython" and PYTHONS.contains(python["version"])]
    others = [python for python in allowed if python["version"] != platform.python_version()]
    return str(min(others, key=lambda python: Version(python["version"]))["path"]) if others else sys.executable


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executables of an environment as training code has it: Transformers 4 and, of this project, what comes without an extra."""
    folder = tmp_path_factory.mktemp("light")
    unlike = ("huggingface-hub==", "tokenizers==", "transformers==")  # Transformers 4 wants others than a run does
    pins = [pin for pin in LOCK.read_text(encoding="utf-8").splitlines() if not pin.startswith(unlike)]
    (folder / "pins.txt").write_text("\n".join([*pins, "transformers==4.57.6"]), encoding="utf-8")
    uv("venv", "--python", another_python(folder), folder / "venv", cwd=folder)
    executables = folder / "venv" / "bin"
    uv("pip", "install", "--python", executables / "python", "--constraint", "pins.txt", wheel, "transformers", cwd=folder)
    return executables


def test_training_code_draws_batches_beside_transformers_4(light: Path, training_project: Path, sample_run: Run) -> None:
    command = [light / "python", "-c", LIGHT_PROGRAM, sample_run.folder]
    said = json.loads(subprocess.run(command, cwd=training_project, check=True, capture_output=True, text=True).stdout)
    expected = next(iter(open_release(str(sample_run.folder)).batches(alpha=0, batch_size=4, seed=3, steps=1)))
    assert (said["transformers"], said["queries"], said["passages"]) == ("4.57.6", expected.queries, expected.passages)
    assert "parallel-qa" in said["installed"]
    assert not ONLY_FOR_RUNS & set(said["installed"])


def test_training_code_checks_previews_and_exports_a_release(light: Path, tmp_path: Path, sample_run: Run) -> None:
    def parallel_qa(*arguments: object) -> str:
        return subprocess.run([light / "parallel-qa", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert parallel_qa("verify", sample_run.folder) == "All is as the manifest says.\n"
    assert "Preview: batches.html" in parallel_qa("batches", sample_run.folder, "--steps", "10", "--batch-size", "4")
    for kind in ("sentence-transformers", "flagembedding", "tevatron", "beir"):
        assert parallel_qa("export", sample_run.folder, "--format", kind, "--output", kind).endswith(f" examples: {kind}\n")


COMMANDS_PROGRAM = """
import json, sys
from parallel_qa.flows.cli import main

for command in json.loads(sys.argv[1]):
    sys.argv[1:] = command
    try:
        main()
    except SystemExit as ended:
        print(ended.code)
"""


def test_a_command_that_a_light_installation_cannot_do_names_the_extra(light: Path, tmp_path: Path) -> None:
    names = ("run", "plan", "status", "prepare", "translate", "filter", "calibrate", "report", "publish", "mine")
    commands = [*([name, "sample", "--store", "store"] for name in names), ["diff", "a", "b"], ["languages"], ["sources", "list"]]
    program = [light / "python", "-c", COMMANDS_PROGRAM, json.dumps(commands)]
    done = subprocess.run(program, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["2"] * len(commands)
    refusals = re.findall(r"^error: \w+ is not installed: pip install 'parallel-qa\[run\]'$", done.stderr, re.MULTILINE)
    assert refusals == done.stderr.splitlines()
    assert len(refusals) == len(commands)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", [["pylate==1.6.0"], ["sentence-transformers==3.4.1", "transformers==4.49.0"]], ids=" ".join)
def test_the_versions_that_a_training_library_wants_are_free(library: list[str], wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("\n".join([str(wheel), *library]), encoding="utf-8")
    chosen = uv("pip", "compile", "--no-header", "--no-annotate", "--python-version", "3.11", "wanted.txt", cwd=tmp_path).splitlines()
    assert set(library) <= set(chosen)


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
