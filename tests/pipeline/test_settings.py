from __future__ import annotations

from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE, WAYS, DecodingSettings, TranslationSettings, load_settings
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
        ({"translation": {"beam_size": 2, "hypotheses": 3}}, r"translation: 3 hypotheses take more than beam_size 2 times patience 1"),
        ({"translation": {"patience": 0}}, r"translation\.patience: Input should be greater than 0"),
        ({"translation": {"back": {"beams": 4}}}, r"unknown key 'translation\.back\.beams': did you mean 'beam_size'\?"),
        ({"translation": {"models": {"de": {"modle": "x"}}}}, r"unknown key 'translation\.models\.de\.modle': did you mean 'model'\?"),
        ({"translation": {"models": {"klingon": {}}}}, r"translation\.models\.klingon\.\[key\]: unknown language 'klingon'"),
        ({"translation": {"models": {"de": {}, "deu_Latn": {}}}}, r"translation\.models: a language stands here twice, by code and by tag"),
        (
            {"translation": {"models": {"fr": {}}}},
            r"translation\.models\.fra_Latn: fra_Latn is not among the run's `languages`: add it there",
        ),
        ({"translation": {"gpus": [-1]}}, r"translation\.gpus\.0: Input should be greater than or equal to 0"),
        ({"filters": {"min_chrf": "high"}}, r"filters\.min_chrf: Input should be a valid number"),
        ({"filters": {"exceptions": [{"min_crhf": 25}]}}, r"unknown key 'filters\.exceptions\.0\.min_crhf': did you mean 'min_chrf'\?"),
        ({"sources": [{"card": "./questions.md", "lang": ["de"]}]}, r"unknown key 'sources\.0\.lang': did you mean 'languages'\?"),
        ({"batches": {"source_weigths": {}}}, r"unknown key 'batches\.source_weigths': did you mean 'source_weights'\?"),
        ({"batches": {"batch_size": 0}}, r"batches\.batch_size: Input should be greater than or equal to 1"),
        ({"name": "../release"}, r"name: '\.\./release' must be made of letters"),
        ({"name": "p_ü"}, r"name: 'p_ü' must be made of letters, .* of ASCII"),
        ({"name": "-x"}, r"name: '-x' must be made of letters"),
        ({"name": "x\n"}, r"name: 'x\\n' must be made of letters"),
    ],
)
def test_a_bad_setting_is_named_with_its_remedy(project: Project, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=rf"profile\.yaml: {message}") as error:
        project.settings(**settings)
    assert "\n" not in str(error.value)


def chosen(settings: TranslationSettings, code: str) -> list[tuple[str, str | None, DecodingSettings]]:
    """Model, revision and search of the way into a language and of the way back."""
    both = [settings.of(code), settings.of(code, "back")]
    fields = set(DecodingSettings.model_fields)
    return [(one.model, one.revision, DecodingSettings.model_validate(one.model_dump(include=fields))) for one in both]


def test_what_a_direction_does_not_say_is_as_for_all() -> None:
    given = {
        "model": "nllb",
        "revision": "1",
        "beam_size": 4,
        "hypotheses": 4,
        "repetition_penalty": 1.1,
        "back": {"beam_size": 1},
        "models": {
            "de": {"model": "en-de", "back": {"model": "de-en", "length_penalty": 0.5}},
            "ar": {"patience": 2},
            "ru": {"back": {"revision": "2", "beam_size": 2}},
        },
    }
    settings = TranslationSettings.model_validate(given)
    there = DecodingSettings(beam_size=4, hypotheses=4, repetition_penalty=1.1)
    back = DecodingSettings(repetition_penalty=1.1)
    assert chosen(settings, "tha_Thai") == [("nllb", "1", there), ("nllb", "1", back)]
    assert chosen(settings, "deu_Latn") == [("en-de", None, there), ("de-en", None, back.model_copy(update={"length_penalty": 0.5}))]
    assert chosen(settings, "arb_Arab") == [("nllb", "1", there.model_copy(update={"patience": 2.0})), ("nllb", "1", back)]
    assert chosen(settings, "rus_Cyrl") == [("nllb", "1", there), ("nllb", "2", back.model_copy(update={"beam_size": 2}))]
    assert TranslationSettings.model_validate(settings.model_dump()) == settings
    greedy = TranslationSettings(model="nllb")
    assert chosen(greedy, "deu_Latn") == [("nllb", None, DecodingSettings())] * 2
    sections = {(code, way): settings.section_of(code, way) for code in ("tha_Thai", "deu_Latn", "arb_Arab") for way in WAYS}
    assert sections == {
        ("tha_Thai", "there"): "translation",
        ("tha_Thai", "back"): "translation.back",
        ("deu_Latn", "there"): "translation.models.deu_Latn",
        ("deu_Latn", "back"): "translation.models.deu_Latn.back",
        ("arb_Arab", "there"): "translation.models.arb_Arab",
        ("arb_Arab", "back"): "translation.back",
    }
    assert greedy.section_of("deu_Latn", "back") == "translation"


def test_an_unknown_profile_names_the_ready_ones() -> None:
    with pytest.raises(UserError, match=r"no profile '/nowhere': give the path of a YAML file, or one of .*sample"):
        load_settings("/nowhere")
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
