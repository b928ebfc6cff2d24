"""CTranslate2 models on the device that a run asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ctranslate2

from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.batching import out_of_memory
from parallel_qa.pipeline.translation.devices import chosen_device


@dataclass(frozen=True)
class Loaded:
    """A model in memory."""

    translator: ctranslate2.Translator
    device: str
    workers: int
    """Batches that are worked on at a time."""


def load(folder: Path, name: str, settings: TranslationSettings) -> Loaded:
    """The model in `folder`, which messages call `name`. Raises UserError where the device or the compute type is not to be had."""
    device, devices = chosen_device(settings)
    threads = settings.inter_threads or (available_cores() if device == "cpu" else 1)
    # On a GPU half precision is fastest; where it does not fit, weights of 8 bits with the rest in half precision do.
    automatic = ["float16", "int8_float16"] if device == "cuda" else ["auto"]
    wanted = automatic if settings.compute_type == "auto" else [settings.compute_type]
    for number, compute_type in enumerate(wanted, 1):
        try:
            translator = ctranslate2.Translator(
                str(folder),
                device=device,
                device_index=devices,
                compute_type=compute_type,
                inter_threads=threads,
                intra_threads=settings.intra_threads,
                max_queued_batches=-1,
            )
        except (RuntimeError, ValueError) as error:
            if number == len(wanted) or not out_of_memory(error):
                raise UserError(f"model {name!r} cannot be loaded on {device}: {error}") from None
        else:
            return Loaded(translator, device, threads * len(devices))
    raise AssertionError("unreachable")
