"""A release in the formats of other tools, for any pair of languages, line by line.

An id is that of the release with the tag of its language: `91ac…-de`. `docs/releases.md` says how each tool reads its format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow.compute as pc

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports import beir, flagembedding, sentence_transformers, tevatron
from parallel_qa.pipeline.release.sharing.exports.examples import Count, Examples
from parallel_qa.pipeline.release.sharing.exports.whole_folder import whole_folder
from parallel_qa.pipeline.store import Store


class _Format(Protocol):
    """A module of `exports`."""

    def fewest_negatives(self, asked: int, /) -> int:
        """With how many an example is still written. Raises UserError where the format has no place for any."""

    def write(self, reader: Reader, examples: Examples, folder: Path, /) -> None:
        """Write the examples to `folder`."""


_FORMATS: Mapping[str, _Format] = {
    "sentence-transformers": sentence_transformers,
    "flagembedding": flagembedding,
    "tevatron": tevatron,
    "beir": beir,
}


def export(store: Store, kind: str, folder: Path, directions: Sequence[tuple[str, str]] | None, negatives: int) -> list[Count]:
    """Write the release in `store` (its folder) to `folder` as `kind`; returns how many examples each direction has.

    `directions` are languages of query and passage, as codes or tags; each language with itself if None. Of each pair at most
    `negatives` negatives are written. The folder is there once all is written. Raises UserError where `kind` or a language is not
    known, `folder` is not empty, the release or the format has no such negatives, or there would be no example.
    """
    if kind not in _FORMATS:
        raise UserError(f"format {kind!r} is none of {', '.join(_FORMATS)}")
    fewest = _FORMATS[kind].fewest_negatives(negatives)
    with whole_folder(folder) as (made, scratch):
        reader = Reader(store, scratch)
        chosen = [(reader.language(query), reader.language(passage)) for query, passage in directions or []]
        if negatives:
            _check_negatives(reader, negatives)
        examples = Examples(reader, chosen or [(code, code) for code in reader.languages], negatives, fewest)
        _FORMATS[kind].write(reader, examples, made)
        if not any(count.examples for count in examples.counts):
            raise UserError(_why_none(examples))
        return examples.counts


def _check_negatives(reader: Reader, asked: int) -> None:
    most = max((pc.max(pc.list_value_length(shard["negative_rows"])).as_py() or 0 for shard in reader.shards("pairs")), default=0)
    if not most:
        raise UserError(
            f"negatives: {asked} are asked for, and this release has none: set it to 0, or mine them first (`parallel-qa mine`)"
        )
    if most < asked:
        raise UserError(f"negatives: {asked} are asked for, and no pair of this release has more than {most}: ask for {most} at most")


def _why_none(examples: Examples) -> str:
    names = ", ".join(count.direction for count in examples.counts)
    left_out = sum(count.left_out for count in examples.counts)
    if not left_out:
        return f"no pair of this release survived in {names}: choose other languages"
    return (
        f"negatives: none of {left_out} pairs has {examples.negatives} in {names} that survived and do not answer its query: ask for fewer"
    )
