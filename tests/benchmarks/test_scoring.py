from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_shape import build
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.engine import Engine
from parallel_qa.pipeline.translation.model_file import read_model_file
from parallel_qa.pipeline.translation.models import vocabulary
from tests.benchmarks.running import figures_of


def test_it_measures_a_small_model() -> None:
    figures = figures_of(
        "scoring", "--pieces", "8000", "--kept", "2000", "--layers", "1", "--width", "64", "--sentences", "20", "--rounds", "1"
    )
    assert set(figures) == {
        "score_over_translate",
        "score_over_translate_cut",
        "score_all_pieces_over_translate",
        "translate_cut_over_translate",
        "peak_mb",
    }
    assert all(figure > 0 for figure in figures.values())


def test_the_model_has_the_shape_that_it_should_have_and_outputs_of_one_length(tmp_path: Path) -> None:
    model = build(tmp_path / "model", 7000, layers=2, width=64, inner=128)
    assert len(vocabulary(model.folder)) == 7000
    file = read_model_file(model.folder / "model.bin")
    assert file.aliases["decoder/projection/weight"] == file.aliases["encoder/embeddings_0/weight"] == "decoder/embeddings/weight"
    parameters = sum(int(np.prod(variable.shape)) for variable in file.variables if len(variable.shape) == 2)
    encoder, decoder = 4 * 64 * 64 + 2 * 64 * 128, 8 * 64 * 64 + 2 * 64 * 128
    assert parameters == 7000 * 64 + 1026 * 64 + 2 * (encoder + decoder)
    settings = TranslationSettings(max_target_tokens=12, usual_target_ratio=100)
    translated = Engine(model, settings).translate(["The town.", "The river is long."], ENGLISH, LANGUAGES.find("de"))
    assert [translation.fault for translation in translated] == ["cut", "cut"]
    again = build(tmp_path / "again", 7000, layers=2, width=64, inner=128)
    assert again.fingerprint == model.fingerprint
    with pytest.raises(ValueError, match="100 pieces are too few for this tokenizer: it takes 60"):
        build(tmp_path / "small", 100)
