"""The file `model.bin` of a CTranslate2 model: which variables it has, and a copy of it with some of their rows.

No library reads it; `ctranslate2.specs.model_spec` writes it. Numbers are little-endian; a string is its length with a closing
zero as 16 bits, then the bytes. The file is: version, name and revision of the specification, how many variables, of each its
name, number of dimensions, dimensions, number of its data type, how many bytes, the bytes; how many aliases, of each its name
and the name of the variable that it stands for. An alias of a weight means the weight's scale as well (`WEIGHT_scale`).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from parallel_qa.pipeline.errors import UserError

_VERSION = 6
_SCALE = "_scale"

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Variable:
    """An array, and where in the file its bytes are."""

    name: str
    shape: tuple[int, ...]
    type: int
    start: int
    bytes: int
    rows: Rows | None = None
    """Those of its rows that a copy gets; all if not given."""

    def with_rows(self, rows: Rows) -> Variable:
        """The variable with these of its rows only."""
        return replace(self, shape=(len(rows), *self.shape[1:]), bytes=self.bytes // self.shape[0] * len(rows), rows=rows)


@dataclass(frozen=True)
class ModelFile:
    """What is in a `model.bin`."""

    path: Path
    specification: str
    revision: int
    variables: Sequence[Variable]
    aliases: Mapping[str, str]
    """Scales that an alias of their weight means are named too."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each variable and alias."""
        shapes = {variable.name: variable.shape for variable in self.variables}
        return shapes | {alias: shapes[name] for alias, name in self.aliases.items()}

    def with_rows(self, names: Collection[str], rows: Rows) -> ModelFile:
        """What a copy has in which `names` (variables or aliases) have these rows only; others that share their weights stay whole.

        A weight that is no longer shared has a scale of its own, as CTranslate2 looks for the scales before it looks at aliases.
        """
        apart = {*names, *(name + _SCALE for name in names)}
        variables: list[Variable] = []
        aliases: dict[str, str] = {}
        for variable in self.variables:
            sharing = (variable.name, *sorted(alias for alias, name in self.aliases.items() if name == variable.name))
            kinds = {name: (name in names, name in apart) for name in sharing}
            for kind in dict.fromkeys(kinds.values()):
                first, *others = (name for name in sharing if kinds[name] == kind)
                named = replace(variable, name=first)
                variables.append(named.with_rows(rows) if first in names else named)
                aliases |= dict.fromkeys(others, first)
        return replace(self, variables=sorted(variables, key=lambda variable: variable.name), aliases=dict(sorted(aliases.items())))

    def write(self, path: Path) -> None:
        """Write the copy; no more than one variable is in memory."""
        with path.open("wb") as file:
            file.write(struct.pack("<I", _VERSION))
            _write_text(file, self.specification)
            file.write(struct.pack("<II", self.revision, len(self.variables)))
            for variable in self.variables:
                _write_text(file, variable.name)
                shape = variable.shape
                file.write(struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, variable.type, variable.bytes))
                if variable.bytes:
                    file.write(self._content(variable).data)
            aliases = {alias: name for alias, name in self.aliases.items() if not self._follows(alias, name)}
            file.write(struct.pack("<I", len(aliases)))
            for alias, name in aliases.items():
                _write_text(file, alias)
                _write_text(file, name)

    def _content(self, variable: Variable) -> NDArray[np.uint8]:
        if variable.rows is None:
            return np.memmap(self.path, np.uint8, "r", variable.start, (variable.bytes,))
        width = variable.bytes // len(variable.rows)
        whole = np.memmap(self.path, np.uint8, "r", variable.start, (int(variable.rows.max()) + 1, width))
        return whole[variable.rows]

    def _follows(self, alias: str, name: str) -> bool:
        """Whether an alias need not be written, as that of the weight means it."""
        return alias.endswith(_SCALE) and self.aliases.get(alias.removesuffix(_SCALE)) == name.removesuffix(_SCALE)


def read_model_file(path: Path) -> ModelFile:
    """What is in the `model.bin` at `path`; its weights are not read. Raises UserError where it is damaged or of another version."""
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except (struct.error, UnicodeDecodeError):
        raise UserError(f"{path}: damaged: convert or download the model again") from None


def _read(path: Path, file: BinaryIO) -> ModelFile:
    [version] = _numbers(file, "I")
    if version != _VERSION:
        raise UserError(f"{path}: it has version {version} of the format, and only version {_VERSION} is known")
    specification = _text(file)
    revision, count = _numbers(file, "II")
    variables = [_variable(file) for _ in range(count)]
    [count] = _numbers(file, "I")
    aliases = {_text(file): _text(file) for _ in range(count)}
    if file.tell() != path.stat().st_size:
        raise struct.error("the file does not end where it says")
    names = {variable.name for variable in variables}
    scales = {alias + _SCALE: name + _SCALE for alias, name in aliases.items() if name + _SCALE in names}
    return ModelFile(path, specification, revision, variables, aliases | scales)


def _variable(file: BinaryIO) -> Variable:
    name = _text(file)
    [rank] = _numbers(file, "B")
    shape = _numbers(file, f"{rank}I")
    kind, size = _numbers(file, "BI")
    start = file.tell()
    file.seek(size, 1)
    return Variable(name, shape, kind, start, size)


def _numbers(file: BinaryIO, kinds: str) -> tuple[int, ...]:
    numbers: tuple[int, ...] = struct.unpack(f"<{kinds}", file.read(struct.calcsize(f"<{kinds}")))
    return numbers


def _text(file: BinaryIO) -> str:
    [length] = _numbers(file, "H")
    text = file.read(length)
    if len(text) != length:
        raise struct.error("the file ends too early")
    return text.removesuffix(b"\0").decode()


def _write_text(file: BinaryIO, text: str) -> None:
    content = text.encode() + b"\0"
    file.write(struct.pack("<H", len(content)) + content)
