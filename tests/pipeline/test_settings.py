from __future__ import annotations

from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE, load_settings
from tests.project import Project


@pytest.mark.parametrize("path", sorted((HOUSE / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_profile_is_valid(path: Path) -> None:
    assert load_settings(path.stem).languages


def test_tags_and_codes_name_the_same_language(project: Project) -> None:
    assert project.settings(languages=["de", "zh-Hant", "tha_Thai"]).languages == ["deu_Latn", "zho_Hant", "tha_Thai"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ["deu_Latin"]}, r"languages\.0: unknown language 'deu_Latin': did you mean deu_Latn"),
        ({"languages": ["en"]}, r"languages\.0: English is the source language"),
        ({"languages": ["de", "deu_Latn"]}, r"languages: deu_Latn is listed twice"),
        ({"languages": []}, r"languages: List should have at least 1 item"),
        ({"langauges": ["de"]}, r"unknown key 'langauges': did you mean 'languages'\?"),
        ({"translation": {"beam": 4}}, r"unknown key 'translation\.beam': did you mean 'beam_size'\?"),
        ({"translation": {"beam_size": 0}}, r"translation\.beam_size: Input should be greater than or equal to 1"),
        ({"filters": {"min_chrf": "high"}}, r"filters\.min_chrf: Input should be a valid number"),
        ({"filters": {"exceptions": [{"min_crhf": 25}]}}, r"unknown key 'filters\.exceptions\.0\.min_crhf': did you mean 'min_chrf'\?"),
        ({"sources": [{"card": "./questions.md", "lang": ["de"]}]}, r"unknown key 'sources\.0\.lang': did you mean 'languages'\?"),
        ({"batches": {"source_weigths": {}}}, r"unknown key 'batches\.source_weigths': did you mean 'source_weights'\?"),
        ({"batches": {"batch_size": 0}}, r"batches\.batch_size: Input should be greater than or equal to 1"),
        ({"name": "../release"}, r"name: '\.\./release' must be made of letters"),
    ],
)
def test_a_bad_setting_is_named_with_its_remedy(project: Project, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=rf"profile\.yaml: {message}") as error:
        project.settings(**settings)
    assert "\n" not in str(error.value)


def test_an_unknown_profile_names_the_ready_ones() -> None:
    with pytest.raises(UserError, match=r"no profile 'smaple': give the path of a YAML file, or one of .*sample"):
        load_settings("smaple")


def test_a_profile_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: [unclosed")
    with pytest.raises(UserError, match=r"bad\.yaml: cannot be read as YAML"):
        load_settings(str(path))
    path.write_text("- a list")
    with pytest.raises(UserError, match=r"bad\.yaml: a profile is a YAML mapping"):
        load_settings(str(path))
