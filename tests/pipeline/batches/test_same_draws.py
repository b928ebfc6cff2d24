"""What is drawn stays what it was: a change of it is a change of every training run that goes on from a state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches import open_release, stream_release
from parallel_qa.pipeline.batches.links import pairs_in_memory
from parallel_qa.pipeline.batches.sampling.sampler import Draw, Sampler, Totals
from tests.pipeline.batches.conftest import write_release

STEPS = 20
FALLING = {"start": 1.0, "end": 0.0, "schedule": "cosine", "steps": 30}


def digest(draws: Iterable[Draw]) -> str:
    numbers = hashlib.sha256()
    for draw in draws:
        rows = (draw.pairs, draw.query_language, draw.passage_language)
        numbers.update(repr((draw.kind, draw.source, *(row.tolist() for row in rows), draw.negatives)).encode())
    return numbers.hexdigest()[:16]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = {"small": 300, "large": 900}
    return write_release(tmp_path_factory.mktemp("same"), sources, survival=0.7, blocks=6, mixed=True, twice=3, seed=31)


OPENED: list[tuple[dict[str, Any], str]] = [
    ({"batch_size": 8}, "b16d064e4f7310db"),
    ({"batch_size": 40, "seed": 5}, "45f64adecd7addd3"),
    ({"batch_size": 8, "alpha": 0.0, "pairs_of": "batch", "denied_pairs": [("en", "th")]}, "e408b27854c93eae"),
    ({"batch_size": 16, "alpha": FALLING, "alpha_groups": [{"languages": ["ar"], "start": 0.9}]}, "d91e25647fa66b06"),
    ({"batch_size": 4, "negatives": 2, "negative_language": "any"}, "50ebd6aa803596fe"),
    ({"batch_size": 4, "negatives": 2, "negative_language": "query", "mode": "cross-lingual"}, "1c12bd3477467cf2"),
    (
        {"batch_size": 8, "languages": ["th", "de", "en"], "language_weights": {"de": 4, "en": 0.5}, "language_temperature": 2.0},
        "ec7b9406577f5493",
    ),
    (
        {"batch_size": 8, "mode": "monolingual", "source_weights": {"small": 5}, "source_temperature": 3.0, "source_cap": 500},
        "4cf576ee60ec552e",
    ),
    ({"batch_size": 8, "alpha": 0.2, "allowed_pairs": [("de", "en"), ("th", "ar")]}, "085a2b8b69061325"),
]


@pytest.mark.parametrize(("given", "expected"), OPENED, ids=str)
def test_of_a_release(folder: Path, given: dict[str, Any], expected: str) -> None:
    loader = open_release(folder).loader(**given)
    assert digest(loader.draw(epoch, step) for epoch in (0, 3) for step in range(STEPS)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"batch_size": 8}, "6001930e31ae5eab"),
        ({"batch_size": 10, "alpha": 0.2, "language_temperature": 1.5, "source_temperature": 2.0}, "30fd84f759118eab"),
    ],
    ids=str,
)
def test_of_a_stream(folder: Path, given: dict[str, Any], expected: str) -> None:
    loader = stream_release(folder, 2).loader(**given)
    assert digest(loader.draw(epoch, step) for epoch in (0, 1) for step in range(0, len(loader), 7)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"batch_size": 100}, "5fcd125b296b0ddd"),
        ({"batch_size": 30, "alpha": 1.0, "languages": ["th"]}, "8daeccc4843e6256"),
    ],
    ids=str,
)
def test_of_many_pairs(given: dict[str, Any], expected: str) -> None:
    """More than are looked at to estimate what survived; of the second source little did in Thai, so that it is looked up."""
    draw, count = np.random.default_rng(1), 250_000
    source = (np.arange(count) > 220_000).astype(np.int64)
    bits = [np.where((draw.random(count) < 0.1) | (source == 0), 15, 7) for _ in range(2)]
    links = np.stack([np.arange(count) * 3 // 4, draw.integers(0, 60_000, count), *bits, source], axis=1)
    pairs = pairs_in_memory(links, 2, 4)
    totals = Totals(pairs.index.sizes, pairs.index.kept, pairs.index.kept > 0)
    sampler = Sampler(pairs, ["a", "b"], ["eng_Latn", "deu_Latn", "arb_Arab", "tha_Thai"], BatchSettings(**given), totals)
    assert digest(sampler.draw(1, step, 100) for step in range(STEPS)) == expected
