"""Does this machine have the device that a run asks for, and can that compute as it asks?"""

from __future__ import annotations

import ctranslate2

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import TranslationSettings


def chosen_device(settings: TranslationSettings) -> tuple[str, list[int]]:
    """The device that translates here, "cpu" or "cuda", and the numbers of the GPUs that do; [0] on a CPU."""
    gpus = ctranslate2.get_cuda_device_count()
    device = settings.device if settings.device != "auto" else "cuda" if gpus else "cpu"
    return device, (settings.gpus or list(range(gpus)) or [0]) if device == "cuda" else [0]


def check_device(settings: TranslationSettings) -> None:
    """Raises UserError where the device, one of the GPUs or the compute type is not to be had here; it says what is."""
    gpus = ctranslate2.get_cuda_device_count()
    if settings.device == "cuda" and not gpus:
        raise UserError("translation.device: no GPU is to be had here ('cuda'): take 'cpu', or 'auto', which takes what there is")
    if settings.device != "cpu":
        for number in settings.gpus:
            if number >= gpus:
                there = f"there are {gpus}, the first of them is 0" if gpus else "there is none"
                raise UserError(f"translation.gpus: GPU {number} is not to be had here: {there}")
    device, used = chosen_device(settings)
    supported = set.intersection(*(ctranslate2.get_supported_compute_types(device, number) for number in used))
    if settings.compute_type not in {"auto", "default", *supported}:
        raise UserError(
            f"translation.compute_type: {settings.compute_type!r} is not to be had on this {device}: take 'auto', 'default', or one of "
            + ", ".join(sorted(supported))
        )
