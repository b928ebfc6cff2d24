from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parallel_qa.flows.cli import app
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.model_finding import SAMPLE, find_model
from parallel_qa.pipeline.translation.models import REQUIRED, open_model, vocabulary


def test_the_sample_model_is_the_one_described() -> None:
    model = open_model(SAMPLE)
    assert model.name == "sample"
    assert model.licence == "Apache-2.0"
    assert model.quantization == "int8"
    assert len(model.codes) == 10


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SAMPLE, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" ")
    with pytest.raises(UserError, match=rf"{name} is damaged \(its checksum is wrong\): convert or download the model again"):
        open_model(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"the file {name} is missing"):
        open_model(folder)


def test_a_damaged_description_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SAMPLE, folder)
    (folder / "model.json").write_bytes((SAMPLE / "model.json").read_bytes()[:-9])
    with pytest.raises(UserError, match=r"model\.json is damaged \(.*\): convert or download the model again"):
        open_model(folder)


def test_a_model_may_have_a_vocabulary_for_each_side(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SAMPLE, folder)
    (folder / "model.json").unlink()
    (folder / "shared_vocabulary.json").rename(folder / "source_vocabulary.json")
    with pytest.raises(UserError, match=r"the file target_vocabulary\.json is missing"):
        open_model(folder)
    (folder / "target_vocabulary.json").write_text('["</s>", "deu_Latn"]')
    assert set(open_model(folder).checksums) >= {"source_vocabulary.json", "target_vocabulary.json"}
    assert vocabulary(folder, "source") == vocabulary(SAMPLE) and vocabulary(folder, "target") == ["</s>", "deu_Latn"]


def test_a_folder_is_found_beside_the_profile(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "mine")
    model = find_model(TranslationSettings(model="mine"), tmp_path)
    assert model.fingerprint == open_model(SAMPLE).fingerprint


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"translation\.model: 'smaple' is neither 'sample', nor a folder, nor a hub id"):
        find_model(TranslationSettings(model="smaple"), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no Hugging Face checkpoint: it has no config\.json"):
        find_model(TranslationSettings(model="empty"), tmp_path)


def test_the_models_of_a_machine_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copytree(SAMPLE, tmp_path / "models" / "mine")
    description = (SAMPLE / "model.json").read_text(encoding="utf-8").replace('"sample"', '"a copy"')
    (tmp_path / "models" / "mine" / "model.json").write_text(description, encoding="utf-8")
    result = CliRunner().invoke(app, ["model", "list"])
    assert result.exit_code == 0, result.output
    for shown in ("sample", "a copy", "nllb", "int8", "Apache-2.0", "10"):
        assert shown in result.output
