"""A real NLLB-shaped checkpoint from a hub: downloaded, checked, converted once, cached and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import huggingface_hub.constants
import pytest
import sentencepiece
import torch
from tenacity import wait_none

from pipeline.errors import UserError
from pipeline.languages import ENGLISH, LANGUAGES
from pipeline.settings import Environment, TranslationSettings
from pipeline.translation import hub as hub_module
from pipeline.translation.engine import Engine
from pipeline.translation.hub import find_model
from pipeline.translation.models import SENTENCEPIECE
from tests.loopback_hub import LoopbackHub
from tests.nllb_checkpoint import make_checkpoint

NLLB = "facebook/nllb-200-distilled-600M"
COMMIT = "f8d333a098d19b4fd9a8b18f94170487ad3f821d"
WEIGHTS = "pytorch_model.bin"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("hub") / "nllb")


@pytest.fixture
def hub(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    folder = tmp_path / "repository"
    shutil.copytree(checkpoint, folder)
    with LoopbackHub({NLLB: (COMMIT, folder)}).serve() as server:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(hub_module, "WAIT", wait_none())
        monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
        yield server


def settings(**changes: object) -> TranslationSettings:
    return TranslationSettings.model_validate({"model": NLLB, "revision": COMMIT, **changes})


def cached() -> list[str]:
    """What stands in the cache under a final name."""
    return sorted(path.name for path in Environment().models.glob("*") if path.name != "checkpoints" and not path.name.startswith("."))


@pytest.mark.parametrize("quantization", ["int8", "float16"])
def test_a_checkpoint_is_downloaded_converted_once_and_runs(hub: LoopbackHub, tmp_path: Path, quantization: str) -> None:
    model = find_model(settings(quantization=quantization), tmp_path)
    assert model.name == f"{NLLB}@{COMMIT[:12]}"
    assert model.licence == "CC-BY-NC-4.0"
    assert len(model.codes) == 202
    requests = len(hub.requests)
    assert find_model(settings(quantization=quantization), tmp_path).fingerprint == model.fingerprint
    assert len(hub.requests) == requests
    assert cached() == [f"facebook--nllb-200-distilled-600M-{COMMIT}-{quantization}"]

    sentences = ["The river is long.", "The town is old and the river is long."]
    limits = {"compute_type": "int8", "max_target_tokens": 20}
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.folder / SENTENCEPIECE))
    bare = ctranslate2.Translator(str(model.folder), compute_type="int8")
    tokens = [["eng_Latn", *pieces.encode(sentence, out_type=str), "</s>"] for sentence in sentences]
    outputs = bare.translate_batch(tokens, target_prefix=[["deu_Latn"]] * 2, beam_size=1, max_decoding_length=20)
    expected = [pieces.decode([piece for piece in o.hypotheses[0][1:] if piece != "<unk>"]).strip() for o in outputs]
    engine = Engine(model, settings(quantization=quantization, **limits))
    assert [t.text for t in engine.translate(sentences, ENGLISH, LANGUAGES.find("de"))] == expected


def test_a_broken_download_goes_on_where_it_broke(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The library keeps whole chunks; its own of 10 MB are larger than this checkpoint.
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 16_384)
    size = (hub.repositories[NLLB][1] / WEIGHTS).stat().st_size
    hub.break_after[WEIGHTS] = size // 2
    find_model(settings(), tmp_path)
    first, second = hub.downloads(WEIGHTS)
    assert first is None
    assert second is not None
    assert second.startswith("bytes=")
    assert int(second.removeprefix("bytes=").removesuffix("-")) > 0
    assert hub.sent[WEIGHTS] < size + 16_384


@pytest.mark.parametrize("status", [503, 429, 500])
def test_a_passing_fault_of_the_hub_is_tried_again(hub: LoopbackHub, tmp_path: Path, status: int) -> None:
    hub.statuses.append(status)
    assert find_model(settings(), tmp_path).codes
    assert hub.statuses == []


def test_a_repository_that_is_not_there_is_named_at_once(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"model facebook/nllb-200-none at {COMMIT}: cannot be downloaded: .*404") as error:
        find_model(settings(model="facebook/nllb-200-none"), tmp_path)
    assert "\n" not in str(error.value)
    assert len([path for _, path, _ in hub.requests if "nllb-200-none" in path]) == 1


def test_bytes_that_are_not_those_of_the_hubs_checksum_are_refused_and_removed(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.corrupt.add(WEIGHTS)
    with pytest.raises(UserError, match=rf"{WEIGHTS} has another SHA-256 than expected and was removed: run again"):
        find_model(settings(), tmp_path)
    assert cached() == []
    assert list(Environment().models.rglob(WEIGHTS)) == []
    hub.corrupt.clear()
    assert find_model(settings(), tmp_path).codes


def test_the_profiles_own_checksums_hold_for_small_files_too(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json has another SHA-256 than expected"):
        find_model(settings(checksums={"config.json": "0" * 64}), tmp_path)
    assert cached() == []


@pytest.mark.parametrize("revision", [None, "main", "f8d333a"])
def test_a_hub_model_must_be_pinned(hub: LoopbackHub, tmp_path: Path, revision: str | None) -> None:
    with pytest.raises(UserError, match=r"translation\.revision: pin facebook/nllb-200-distilled-600M to a commit of 40"):
        find_model(settings(revision=revision), tmp_path)
    assert hub.requests == []


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_that_runs_code_is_not_run(hub: LoopbackHub, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"model.shared.weight": Trap(sprung)}, hub.repositories[NLLB][1] / WEIGHTS)
    with pytest.raises(UserError, match="cannot be converted"):
        find_model(settings(), tmp_path)
    assert not sprung.exists()
    assert cached() == []


def test_code_in_a_repository_is_not_even_downloaded(hub: LoopbackHub, tmp_path: Path) -> None:
    (hub.repositories[NLLB][1] / "modeling_custom.py").write_text("raise SystemExit('ran')")
    find_model(settings(), tmp_path)
    assert hub.downloads("modeling_custom.py") == []
    assert list(Environment().models.rglob("*.py")) == []


def test_the_command_converts_a_folder_and_describes_it(checkpoint: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("parallel-qa")), "model", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})

    output = tmp_path / "converted"
    assert run("convert", checkpoint, output, "--name", "mine", "--licence", "MIT").returncode == 0
    described = run("info", output)
    assert described.returncode == 0
    assert all(word in described.stdout for word in ("mine", "MIT", "int8", "deu_Latn"))
    again = run("convert", checkpoint, output)
    assert (again.returncode, again.stderr) == (2, f"error: {output} exists already: choose another folder, or delete it\n")
    wrong = run("convert", tmp_path, tmp_path / "other")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "it has no config.json" in wrong.stderr
