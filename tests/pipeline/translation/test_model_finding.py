"""A real NLLB-shaped checkpoint from a hub: downloaded, checked, converted once, cached and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import huggingface_hub
import huggingface_hub.constants
import pytest
import sentencepiece
import torch

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import HOUSE, Environment, TranslationSettings
from parallel_qa.pipeline.store import sha256_of
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_finding import SAMPLE, check_model, find_model, model_facts
from parallel_qa.pipeline.translation.models import SENTENCEPIECE
from tests.loopback_hub import LoopbackHub
from tests.nllb_checkpoint import make_checkpoint

NLLB = "facebook/nllb-200-distilled-600M"
COMMIT = "f8d333a098d19b4fd9a8b18f94170487ad3f821d"
WEIGHTS = "pytorch_model.bin"
FOLDER = f"facebook--nllb-200-distilled-600M-{COMMIT}"
CHUNK = 16_384  # the library keeps whole chunks; its own of 10 MB are larger than this checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("hub") / "nllb")


@pytest.fixture
def hub(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    folder = tmp_path / "repository"
    shutil.copytree(checkpoint, folder)
    with LoopbackHub({NLLB: (COMMIT, folder)}).serve() as server:
        server.stand_in(monkeypatch, tmp_path)
        monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", CHUNK)
        yield server


def settings(**changes: object) -> TranslationSettings:
    return TranslationSettings.model_validate({"model": NLLB, "revision": COMMIT, **changes})


def cached() -> list[str]:
    """What stands in the cache under a final name."""
    return sorted(path.name for path in Environment().models.glob("*") if path.name != "checkpoints" and not path.name.startswith("."))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize("quantization", ["int8", "float16"])
def test_a_checkpoint_is_downloaded_converted_once_and_runs(hub: LoopbackHub, tmp_path: Path, quantization: str) -> None:
    model = find_model(settings(quantization=quantization), tmp_path)
    assert model.name == f"{NLLB}@{COMMIT[:12]}"
    assert model.licence == "CC-BY-NC-4.0"
    assert model.quantization == quantization
    assert len(model.codes) == 202
    requests = len(hub.requests)
    assert find_model(settings(quantization=quantization), tmp_path).fingerprint == model.fingerprint
    assert len(hub.requests) == requests
    assert cached() == [f"{FOLDER}-{quantization}"]

    sentences = ["The river is long.", "The town is old and the river is long."]
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.folder / SENTENCEPIECE))
    bare = ctranslate2.Translator(str(model.folder), compute_type="auto")
    tokens = [["eng_Latn", *pieces.encode(sentence, out_type=str), "</s>"] for sentence in sentences]
    outputs = bare.translate_batch(tokens, target_prefix=[["deu_Latn"]] * 2, beam_size=1, max_decoding_length=20)
    expected = [pieces.decode([piece for piece in o.hypotheses[0][1:] if piece != "<unk>"]).strip() for o in outputs]
    assert all(expected)
    engine = Engine(model, settings(quantization=quantization, max_target_tokens=20))
    assert [t.text for t in engine.translate(sentences, ENGLISH, LANGUAGES.find("de"))] == expected


def test_another_quantization_converts_again_and_downloads_no_file_again(hub: LoopbackHub, tmp_path: Path) -> None:
    first = find_model(settings(), tmp_path)
    second = find_model(settings(quantization="float16"), tmp_path)
    assert first.fingerprint != second.fingerprint
    assert hub.downloads(WEIGHTS) == [None]
    assert cached() == [f"{FOLDER}-float16", f"{FOLDER}-int8"]


def test_what_a_hub_model_is_can_be_told_without_it(hub: LoopbackHub, tmp_path: Path) -> None:
    facts = model_facts(settings(), tmp_path)
    assert facts is not None
    assert (hub.requests, cached()) == ([], [])
    assert (facts.name, facts.licence, facts.quantization) == (f"{NLLB}@{COMMIT[:12]}", "CC-BY-NC-4.0", "int8")
    model = find_model(settings(), tmp_path)
    assert model.fingerprint == facts.fingerprint != model.of_files
    assert model_facts(settings(), tmp_path) == facts
    assert cached() == [f"{FOLDER}-int8"]
    others = [model_facts(settings(**change), tmp_path) for change in ({"quantization": "float16"}, {"revision": "0" * 40})]
    assert len({facts.fingerprint, *(other.fingerprint for other in others if other)}) == 3


def test_a_model_is_what_it_was_converted_from_whatever_a_converter_wrote(hub: LoopbackHub, checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "mine")
    for choice in (settings(), TranslationSettings(model="mine")):
        before = find_model(choice, tmp_path)
        facts = model_facts(choice, tmp_path)
        assert facts is not None and facts.fingerprint == before.fingerprint
        (before.folder / "config.json").write_text((before.folder / "config.json").read_text(encoding="utf-8") + " ", encoding="utf-8")
        description = json.loads((before.folder / "model.json").read_text(encoding="utf-8"))
        checksums = description["sha256"] | {"config.json": sha256_of(before.folder / "config.json")}
        edit(before.folder / "model.json", sha256=checksums)
        after = find_model(choice, tmp_path)
        assert (after.fingerprint, model_facts(choice, tmp_path)) == (before.fingerprint, facts)
        assert after.of_files != before.of_files
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="'mine' is neither 'sample', nor a folder, nor a hub id"):
        model_facts(TranslationSettings(model="mine"), tmp_path)
    assert model_facts(TranslationSettings(model="./mine"), tmp_path) is None


def test_a_model_in_a_folder_is_told_by_its_description(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "mine")
    described, found = model_facts(TranslationSettings(model="mine"), tmp_path), find_model(TranslationSettings(model="mine"), tmp_path)
    assert described is not None
    assert (described.name, described.fingerprint, described.licence) == (found.name, found.fingerprint, found.licence)
    assert described == model_facts(TranslationSettings(), tmp_path)


def test_safetensors_are_preferred_to_a_pickle(hub: LoopbackHub, tmp_path: Path) -> None:
    shutil.copytree(make_checkpoint(tmp_path / "safe", safetensors=True), hub.repositories[NLLB][1], dirs_exist_ok=True)
    assert len(find_model(settings(), tmp_path).codes) == 202
    assert hub.downloads("model.safetensors") == [None]
    assert hub.downloads(WEIGHTS) == []


def test_a_broken_download_goes_on_where_it_broke(hub: LoopbackHub, tmp_path: Path) -> None:
    size = (hub.repositories[NLLB][1] / WEIGHTS).stat().st_size
    broken = size // 2
    hub.break_after[WEIGHTS] = broken
    assert find_model(settings(), tmp_path).codes
    kept = broken // CHUNK * CHUNK
    assert kept > 0
    assert hub.downloads(WEIGHTS) == [None, f"bytes={kept}-"]
    assert hub.sent[WEIGHTS] == broken + size - kept


def test_a_connection_that_is_reset_is_tried_again(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.reset = True
    hub.break_after[WEIGHTS] = CHUNK
    assert find_model(settings(), tmp_path).codes
    assert len(hub.downloads(WEIGHTS)) == 2


def test_files_that_a_failed_download_finished_are_not_fetched_again(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.statuses[WEIGHTS] = [500] * 5
    with pytest.raises(UserError, match=rf"model {NLLB} at {COMMIT}: cannot be downloaded: .*500") as error:
        find_model(settings(), tmp_path)
    assert "\n" not in str(error.value)
    assert len(hub.downloads(WEIGHTS)) == 5
    assert cached() == []
    assert find_model(settings(), tmp_path).codes
    assert len(hub.downloads(WEIGHTS)) == 6
    assert hub.downloads("tokenizer.json") == [None]


@pytest.mark.parametrize("status", [503, 429, 500])
@pytest.mark.parametrize("end", [f"revision/{COMMIT}", f"tree/{COMMIT}", WEIGHTS])
def test_a_passing_fault_of_the_hub_is_tried_again(hub: LoopbackHub, tmp_path: Path, end: str, status: int) -> None:
    hub.statuses[end] = [status]
    assert find_model(settings(), tmp_path).codes
    assert hub.statuses[end] == []
    assert len(hub.downloads(end)) >= 2


@pytest.mark.parametrize("change", [{"model": "facebook/nllb-200-none"}, {"revision": "0" * 40}])
def test_what_is_not_there_is_named_at_once(hub: LoopbackHub, tmp_path: Path, change: dict[str, str]) -> None:
    wanted = settings(**change)
    with pytest.raises(UserError, match=rf"model {wanted.model} at {wanted.revision}: cannot be downloaded: .*404") as error:
        find_model(wanted, tmp_path)
    assert "\n" not in str(error.value)
    assert len(hub.downloads(f"{wanted.model}/revision/{wanted.revision}")) == 1
    assert cached() == []


def test_bytes_that_are_not_those_of_the_hubs_checksum_are_refused_and_removed(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.corrupt.add(WEIGHTS)
    with pytest.raises(UserError, match=rf"{WEIGHTS} has another SHA-256 than expected and was removed: run again"):
        find_model(settings(), tmp_path)
    assert cached() == []
    assert list(Environment().models.rglob(WEIGHTS)) == []
    hub.corrupt.clear()
    assert find_model(settings(), tmp_path).codes


def test_the_profiles_own_checksums_hold_for_small_files_too(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json has another SHA-256 than expected and was removed"):
        find_model(settings(checksums={"config.json": "0" * 64}), tmp_path)
    assert cached() == []
    assert list(Environment().models.rglob("config.json")) == []
    checksum = sha256_of(hub.repositories[NLLB][1] / "config.json")
    assert find_model(settings(checksums={"config.json": checksum}), tmp_path).codes


@pytest.mark.parametrize("name", ["pytorch_modle.bin", "../outside.json"])
def test_a_checksum_of_a_file_that_is_not_downloaded_is_refused(hub: LoopbackHub, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=rf"translation\.checksums: {name} is not among the files of {NLLB} that are downloaded: .*{WEIGHTS}"
    ):
        find_model(settings(checksums={name: "0" * 64}), tmp_path)
    assert hub.downloads(WEIGHTS) == []


@pytest.mark.parametrize("revision", [None, "main", "f8d333a"])
def test_a_hub_model_must_be_pinned(hub: LoopbackHub, tmp_path: Path, revision: str | None) -> None:
    remedy = r"translation\.revision: pin facebook/nllb-200-distilled-600M to a commit of 40 hexadecimal digits"
    with pytest.raises(UserError, match=remedy):
        find_model(settings(revision=revision), tmp_path)
    with pytest.raises(UserError, match=remedy):
        check_model(settings(revision=revision), tmp_path, [ENGLISH])
    assert hub.requests == []


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_not_run(hub: LoopbackHub, tmp_path: Path, zipped: bool) -> None:
    sprung = tmp_path / "sprung"
    weights = hub.repositories[NLLB][1] / WEIGHTS
    torch.save({"model.shared.weight": Trap(sprung)}, weights, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"cannot be converted: its \.bin file is damaged or holds more than weights, and was not loaded"):
        find_model(settings(), tmp_path)
    assert not sprung.exists()
    assert cached() == []
    torch.load(weights, weights_only=False)
    assert sprung.exists(), "the trap itself does not work"


def add_code(folder: Path, ran: Path) -> None:
    """Modules of the repository's own, named in the configuration as those that load it."""
    for name in ("modeling_custom", "tokenization_custom"):
        (folder / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\n")
    edit(folder / "config.json", auto_map={"AutoModelForSeq2SeqLM": "modeling_custom.Custom", "AutoConfig": "modeling_custom.Custom"})
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_custom.Custom", None]})


def test_code_in_a_repository_is_not_even_downloaded(hub: LoopbackHub, tmp_path: Path) -> None:
    add_code(hub.repositories[NLLB][1], tmp_path / "ran")
    assert len(find_model(settings(), tmp_path).codes) == 202
    assert [path for _, path, _ in hub.requests if path.endswith(".py")] == []
    assert list(Environment().models.rglob("*.py")) == []
    assert not (tmp_path / "ran").exists()


def test_code_in_a_folder_is_not_run(hub: LoopbackHub, checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "mine")
    add_code(folder, tmp_path / "ran")
    assert len(find_model(TranslationSettings(model="mine"), tmp_path).codes) == 202
    assert not (tmp_path / "ran").exists()
    assert hub.requests == []


def test_a_folder_whose_configuration_changed_is_converted_again(hub: LoopbackHub, checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "mine")
    first = find_model(TranslationSettings(model="mine"), tmp_path)
    assert find_model(TranslationSettings(model="mine"), tmp_path).folder == first.folder
    edit(folder / "config.json", scale_embedding=False)
    second = find_model(TranslationSettings(model="mine"), tmp_path)
    assert second.folder != first.folder
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", b"{", r"config\.json: cannot be read as JSON: "),
        ("config.json", b"\xff\xfe", r"config\.json: cannot be read as JSON: "),
        ("config.json", b"[]", r"model_type is None; NLLB-200 and M2M-100 are 'm2m_100'"),
        (WEIGHTS, b"<html>", r"cannot be converted: its \.bin file is damaged"),
        (WEIGHTS, b"", r"cannot be converted: EOFError"),
    ],
)
def test_a_damaged_folder_is_refused(hub: LoopbackHub, checkpoint: Path, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (shutil.copytree(checkpoint, tmp_path / "mine") / name).write_bytes(content)
    with pytest.raises(UserError, match=reason) as error:
        find_model(TranslationSettings(model="mine"), tmp_path)
    assert "\n" not in str(error.value)
    assert cached() == []


def test_processes_that_convert_the_same_model_at_once_both_get_it(hub: LoopbackHub, checkpoint: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import torch, transformers.models.m2m_100.modeling_m2m_100, ctranslate2.converters
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.model_finding import find_model
print("ready", flush=True)
sys.stdin.readline()
print(find_model(TranslationSettings(model=sys.argv[1]), Path()).fingerprint)
"""
    command = [sys.executable, "-c", code, str(checkpoint)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    fingerprints = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(fingerprints) == 1
    assert len(list(Environment().models.iterdir())) == 1


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
