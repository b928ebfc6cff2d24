"""A model that writes one language only: the target's side of a model cut to the pieces that the language needs.

The output layer has a row for each piece of the vocabulary, and NLLB-200 has 256,206 of them for 202 languages: more than half of
what a written token costs. Rows are left out and nothing is computed anew (int8 has a scale for each row), so that the logits of the
pieces that stay are those of the whole model. Greedy output is the same wherever the whole model would take no other piece.
A log-probability is higher by -log(what the whole model gives to the pieces that stay), as the others are no longer possible.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES, Language
from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.store import fingerprint
from parallel_qa.pipeline.translation.model_file import ModelFile, Rows, read_model_file
from parallel_qa.pipeline.translation.models import MODEL_FILE, VOCABULARIES, Model, describe, open_model, vocabulary

VERSION = 1
"""Of what is made of the same model and pieces."""
_WEIGHTS = ("decoder/embeddings/weight", "decoder/projection/weight")
_LAYERS = ("decoder/embeddings/", "decoder/projection/")
_PAD = "<pad>"


def cut_model(model: Model, target: Language, pieces: Iterable[str]) -> Model:
    """`model` with `pieces` alone on the target's side, the special tokens and the language's own besides; it writes `target` only.

    Pieces that the model does not have are of no account. It is made once and kept in the cache, and made again where its files
    are damaged. The source's side stays whole. Raises UserError where the model does not write `target`, has none of the pieces,
    or has an output layer of a kind that cannot be cut.
    """
    model.check_direction(LANGUAGES.find(model.pair[0]) if model.pair else target, target)
    written = vocabulary(model.folder, "target")
    wanted = set(pieces)
    if wanted.isdisjoint(written):
        raise UserError(f"model {model.name!r} has none of the pieces that it shall be cut to for {target.code}")
    wanted |= _special_tokens(model) | set(model.target_prefix(target))
    rows = np.array([row for row, piece in enumerate(written) if piece in wanted], dtype=np.int64)
    kept = [written[row] for row in rows]
    identity = fingerprint(version=VERSION, model=model.fingerprint, target=target.code, pieces=kept)
    folder = Environment().cache.expanduser() / "cut-models" / fingerprint(identity=identity, files=model.of_files)
    if made := _made(folder, identity):
        return made
    layout = _cut(model, read_model_file(model.folder / "model.bin"), rows, len(written))
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    try:
        building.mkdir()
        layout.write(building / "model.bin")
        for name in ("config.json", *dict.fromkeys(path.name for path in model.pieces)):
            shutil.copyfile(model.folder / name, building / name)
        for side, tokens in (("source", vocabulary(model.folder, "source")), ("target", kept)):
            (building / VOCABULARIES[side]).write_text(json.dumps(tokens, indent=2), encoding="utf-8")
        description = describe(
            building,
            name=f"{model.name}, {target.code} only",
            licence=model.licence,
            quantization=model.quantization,
            family=model.family,
            pair=model.pair,
            identity=identity,
            target=target.code,
        )
        (building / MODEL_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        _put_in_place(building, folder, identity)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return open_model(folder)


def _special_tokens(model: Model) -> set[str]:
    config = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
    return {_PAD, *(token for name, token in config.items() if name.endswith("_token") and isinstance(token, str))}


def _cut(model: Model, file: ModelFile, rows: Rows, pieces: int) -> ModelFile:
    """What is in a model file after the decoder's embeddings and output layer have kept `rows` of their `pieces`."""
    shapes = {name: shape for name, shape in file.shapes.items() if name.startswith(_LAYERS) and shape}
    missing = [f"it has no {name}" for name in _WEIGHTS if name not in shapes]
    others = [f"{name} has {shape[0]} rows for {pieces} pieces" for name, shape in shapes.items() if shape[0] != pieces]
    for reason in (*missing, *others):
        raise UserError(f"model {model.name!r} cannot be cut to the pieces of a language: {reason}")
    return file.with_rows(shapes.keys(), rows)


def _made(folder: Path, identity: str) -> Model | None:
    """The cut model in `folder`; None where there is none or it is damaged."""
    with contextlib.suppress(UserError):
        model = open_model(folder)
        return model if model.identity == identity else None
    return None


def _put_in_place(building: Path, folder: Path, identity: str) -> None:
    """Give what was built its name. Where another process was faster, its folder stays; a damaged one goes."""
    for last in (False, True):
        try:
            building.rename(folder)
            return
        except OSError:
            if _made(folder, identity):
                return
            if last:
                raise
            damaged = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
            with contextlib.suppress(FileNotFoundError):  # another process has removed it
                folder.rename(damaged)
            shutil.rmtree(damaged, ignore_errors=True)
