from __future__ import annotations

import ctranslate2
import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.devices import check_device


def without_gpus(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)


def with_two_gpus(patch: pytest.MonkeyPatch) -> None:
    """As the engine sees them: the second is older."""
    patch.setattr(ctranslate2, "get_cuda_device_count", lambda: 2)
    types = {0: {"float32", "float16", "int8", "int8_float16"}, 1: {"float32", "int8"}}
    patch.setattr(ctranslate2, "get_supported_compute_types", lambda device, number=0: types[number] if device == "cuda" else {"int8"})


@pytest.mark.parametrize("compute_type", ["auto", "default", "float32", *ctranslate2.get_supported_compute_types("cpu")])
def test_what_a_processor_computes_in_is_taken(compute_type: str) -> None:
    check_device(TranslationSettings(device="cpu", compute_type=compute_type, gpus=[7]))


@pytest.mark.parametrize("compute_type", ["float8", "", "INT8"])
def test_a_compute_type_that_is_not_there_is_named_with_those_that_are(compute_type: str) -> None:
    there = ", ".join(sorted(ctranslate2.get_supported_compute_types("cpu")))
    with pytest.raises(UserError) as error:
        check_device(TranslationSettings(device="cpu", compute_type=compute_type))
    expected = f"translation.compute_type: {compute_type!r} is not to be had on this cpu: take 'auto', 'default', or one of {there}"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("device", "gpus", "message"),
    [
        ("cuda", [], "translation.device: no GPU is to be had here ('cuda'): take 'cpu', or 'auto', which takes what there is"),
        ("auto", [0], "translation.gpus: GPU 0 is not to be had here: there is none"),
    ],
)
def test_a_gpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch, device: str, gpus: list[int], message: str) -> None:
    without_gpus(monkeypatch)
    with pytest.raises(UserError) as error:
        check_device(TranslationSettings.model_validate({"device": device, "gpus": gpus}))
    assert str(error.value) == message


def test_gpus_are_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with_two_gpus(monkeypatch)
    check_device(TranslationSettings(gpus=[0], compute_type="float16"))
    check_device(TranslationSettings(device="cuda", gpus=[1, 0], compute_type="int8"))
    check_device(TranslationSettings(device="cpu", compute_type="int8"))
    with pytest.raises(UserError, match=r"translation\.compute_type: 'float16' is not to be had on this cuda: .* one of float32, int8$"):
        check_device(TranslationSettings(compute_type="float16"))
    with pytest.raises(UserError, match=r"translation\.gpus: GPU 2 is not to be had here: there are 2, the first of them is 0"):
        check_device(TranslationSettings(gpus=[0, 2]))
