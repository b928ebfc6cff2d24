"""Against the real writer of the format, CTranslate2's own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from ctranslate2.specs.model_spec import LayerSpec, ModelSpec
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.translation.model_file import ModelFile, Variable, read_model_file
from parallel_qa.pipeline.translation.model_finding import SAMPLE

TYPES = ("float32", "int8", "int16", "int32", "float16")


class Layer(LayerSpec):
    def __init__(self, weight: NDArray[np.generic]) -> None:
        self.weight = weight


class Spec(ModelSpec):
    """A specification of layers with a weight each."""

    def __init__(self, weights: list[NDArray[np.generic]]) -> None:
        super().__init__()
        self.layer = [Layer(weight) for weight in weights]
        self.scalar = np.int8(3)

    @property
    def name(self) -> str:
        return "Weights"

    @property
    def revision(self) -> int:
        return 7


def saved(folder: Path, weights: list[NDArray[np.generic]]) -> Path:
    spec = Spec(weights)
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return folder / "model.bin"


def values(file: ModelFile) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """The shape and the bytes of each name, aliases too."""
    content = file.path.read_bytes()
    own = {variable.name: (variable.shape, content[variable.start : variable.start + variable.bytes]) for variable in file.variables}
    return own | {alias: own[name] for alias, name in file.aliases.items()}


def test_the_sample_model_is_read_and_a_copy_has_the_same_bytes(tmp_path: Path) -> None:
    file = read_model_file(SAMPLE / "model.bin")
    assert (file.specification, file.revision, len(file.variables)) == ("TransformerSpec", 7, 125)
    assert file.shapes["decoder/embeddings/weight"] == file.shapes["decoder/projection/weight"] == (5812, 256)
    assert file.shapes["encoder/embeddings_0/weight_scale"] == (5812,)
    file.write(tmp_path / "copy.bin")
    assert (tmp_path / "copy.bin").read_bytes() == (SAMPLE / "model.bin").read_bytes()


arrays = st.tuples(st.sampled_from(TYPES), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2)).map(
    lambda drawn: (np.arange(drawn[1] * drawn[2]).reshape(drawn[1], drawn[2]) + drawn[3]).astype(drawn[0])
)


@given(weights=st.lists(arrays, min_size=1, max_size=6), chosen=st.sets(st.integers(0, 5)), data=st.data())
def test_chosen_variables_keep_the_given_rows_and_all_others_stay(
    weights: list[NDArray[np.generic]], chosen: set[int], data: st.DataObject
) -> None:
    """Equal arrays are saved once: what is cut of them is no longer what stays whole."""
    names = {f"layer_{number}/weight": weights[number] for number in chosen if number < len(weights)}
    fewest = min((len(weight) for weight in names.values()), default=1)
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, fewest - 1)))), dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        file = read_model_file(saved(Path(folder), weights))
        cut = file.with_rows(names.keys(), rows)
        cut.write(Path(folder) / "cut.bin")
        written = read_model_file(Path(folder) / "cut.bin")
        assert written.shapes == cut.shapes
        expected = {name: (weight[rows].shape, weight[rows].tobytes()) for name, weight in names.items()}
        assert values(written) == values(file) | expected
        assert (written.specification, written.revision) == ("Weights", 7)


def test_a_weight_that_is_no_longer_shared_has_its_own_scale() -> None:
    """One number for all rows, as int16 has it."""
    shared = [Variable("a/weight", (4, 2), 2, 0, 16), Variable("a/weight_scale", (), 0, 16, 4)]
    file = ModelFile(Path("model.bin"), "", 1, shared, {"b/weight": "a/weight", "b/weight_scale": "a/weight_scale", "c/weight": "a/weight"})
    cut = file.with_rows(["b/weight"], np.array([1, 3]))
    assert [(variable.name, variable.shape, variable.bytes) for variable in cut.variables] == [
        ("a/weight", (4, 2), 16),
        ("a/weight_scale", (), 4),
        ("b/weight", (2, 2), 8),
        ("b/weight_scale", (), 4),
    ]
    assert cut.aliases == {"c/weight": "a/weight"}


@pytest.mark.parametrize("cut", [1, 3, 100, 5000])
def test_a_file_that_ends_too_early_or_too_late_is_said_to_be_damaged(tmp_path: Path, cut: int) -> None:
    content = saved(tmp_path, [np.ones((50, 100), np.int8)]).read_bytes()
    (tmp_path / "model.bin").write_bytes(content[:-cut])
    with pytest.raises(UserError, match=r"model\.bin: damaged: convert or download the model again"):
        read_model_file(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(content + b"\0")
    with pytest.raises(UserError, match="damaged"):
        read_model_file(tmp_path / "model.bin")


def test_another_version_of_the_format_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, [np.ones((2, 2), np.int8)])
    path.write_bytes(b"\x07" + path.read_bytes()[1:])
    with pytest.raises(UserError, match="it has version 7 of the format, and only version 6 is known"):
        read_model_file(path)
