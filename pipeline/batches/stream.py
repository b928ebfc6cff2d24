"""A release that is read while batches are drawn, some blocks at a time, and kept nowhere.

The shards of the same number hold the texts of the same pairs. So batches can be drawn from a *window* of blocks, which moves on
by one block at a time, in an order that each epoch has of its own; the block that comes next is read meanwhile.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers, links_of, pairs_in_memory
from parallel_qa.pipeline.batches.loader import DrawableRelease, Loader, View, release_identity
from parallel_qa.pipeline.batches.mapped_texts import TABLES, buffers
from parallel_qa.pipeline.batches.opening import release_store
from parallel_qa.pipeline.batches.sampling.counter_random import RANDOM
from parallel_qa.pipeline.batches.sampling.language_choice import chosen_languages
from parallel_qa.pipeline.batches.sampling.sampler import Sampler, Totals
from parallel_qa.pipeline.batches.source_languages import available_languages, kept_by_manifest
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import log
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest, shards
from parallel_qa.pipeline.store import Store, checked_table

_READERS = 8
"""Files that are read at a time: those of an object store come slowly one by one."""

_ORDER = 2**64 - 1
"""The step whose random numbers are the order of blocks of an epoch."""


@dataclass(frozen=True)
class _Region:
    """The texts of one block, table and language: UTF-8, and where each ends."""

    data: bytes
    ends: Integers


@dataclass(frozen=True)
class _Block:
    number: int
    links: Integers
    """As those of `Pairs`."""
    regions: dict[tuple[str, int], _Region]
    """By table and number of the language."""


class StreamedRelease(DrawableRelease["StreamLoader"]):
    """A release whose shards are read as they are needed; nothing is kept on this machine."""

    def __init__(self, store: Store, window: int = 2) -> None:
        """`store` is the folder of the release; batches are drawn from `window` blocks at a time, and one more is in memory.

        Raises UserError where it is no release that can be streamed.
        """
        self.manifest: dict[str, Any] = read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
        self.store = store
        self.languages: list[str] = self.manifest["languages"]
        self.sources: list[str] = list(self.manifest["sources"])
        self.blocks: int = self.manifest["blocks"]
        if window < 1:
            raise UserError(f"window: {window} blocks: draw batches from at least one")
        self.window = min(window, self.blocks)
        self.firsts = {table: self._firsts(f"{table}/{ENGLISH.code}") for table in TABLES} | {"pairs": self._firsts("pairs")}
        """By table: the number of the first row of each block, and of the row after the last."""
        kept = kept_by_manifest(self.manifest)
        self.totals = Totals(kept[:, self.languages.index(ENGLISH.code)], kept, available_languages(self.manifest, kept))
        """Of the whole release, so that a window draws by what is in all of it."""

    def _firsts(self, folder: str) -> Integers:
        names = shards(self.manifest, folder)
        if len(names) != self.blocks:
            raise UserError(f"{self.store.url}: {folder} has {len(names)} shards, and the manifest says {self.blocks} blocks")
        return np.cumsum([0, *(self.manifest["files"][name]["rows"] for name in names)])

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker processes, which read for themselves."""
        return StreamedRelease, (self.store, self.window)

    def _loader(self, settings: BatchSettings) -> StreamLoader:
        return StreamLoader(self, settings)

    def read(self, store: Store, number: int, bits: Sequence[int], pool: ThreadPoolExecutor) -> _Block:
        """A block in some languages. Raises UserError where a file is missing or damaged."""
        keys = [(table, bit) for table in TABLES for bit in bits]
        links = pool.submit(self._links, store, number)
        regions = pool.map(lambda key: self._region(store, f"{key[0]}/{self.languages[key[1]]}", number), keys)
        return _Block(number, links.result(), dict(zip(keys, regions, strict=True)))

    def _file(self, folder: str, number: int) -> tuple[str, str]:
        name = f"{folder}/{number:05d}.parquet"
        return name, self.manifest["files"][name]["sha256"]

    def _links(self, store: Store, number: int) -> Integers:
        return links_of(checked_table(store, *self._file("pairs", number)), self.sources)

    def _region(self, store: Store, folder: str, number: int) -> _Region:
        contents, lengths = [b""], [np.zeros(1, np.int64)]
        for content, of_texts in buffers(checked_table(store, *self._file(folder, number))):
            contents.append(bytes(content))
            lengths.append(of_texts)
        return _Region(b"".join(contents), np.concatenate(lengths).cumsum())


class StreamLoader(Loader):
    """Batches from a release that is streamed. They are another sequence than those of the same release on this machine."""

    release: StreamedRelease

    def __init__(self, release: StreamedRelease, settings: BatchSettings) -> None:
        if settings.negatives:
            raise UserError("negatives: those of a streamed release are mostly in blocks that are not in memory: use `open_release`")
        super().__init__(release, settings)
        self._bits = chosen_languages(settings.languages, release.languages)
        self._process = 0
        self._order: tuple[int, list[int], Integers] | None = None
        sources = [number for number, name in enumerate(release.sources) if settings.source_weights.get(name, 1) > 0]
        for number in sources:
            self._check_window(release.sources[number], "", int(release.totals.sizes[number]))
        sampler = self._view(0, 0).sampler  # what is amiss shows now
        for number in sources:
            for bit in sampler.of_sources[number].monolingual_bits:
                self._check_window(release.sources[number], f" in {release.languages[bit]}", int(release.totals.kept[number, bit]))

    def _check_window(self, source: str, where: str, pairs: int) -> None:
        """Raises UserError where a window has, mostly, too few of the pairs of a source for batches of them."""
        blocks, window, size = self.release.blocks, self.release.window, self.settings.batch_size
        if window < blocks and 0 < pairs * window < 2 * size * blocks:
            raise UserError(
                f"source {source!r} has {pairs:,} pairs{where} in {blocks} blocks, of which a window has {window}: too few for "
                f"batches of {size}. Widen `window`, leave it out (source_weights, language_weights), or use `open_release`"
            )

    def blocks_at(self, epoch: int, step: int) -> list[int]:
        """The blocks that the batch at `step` of `epoch` is drawn from."""
        return self._window_at(*self._order_and_position(epoch, step))

    def _window_at(self, order: list[int], position: int) -> list[int]:
        return [order[(position + further) % len(order)] for further in range(self.release.window)]

    def _order_and_position(self, epoch: int, step: int) -> tuple[list[int], int]:
        """The order of the blocks in an epoch, and where in it a step is; each block has steps by its number of pairs."""
        if self._order is None or self._order[0] != epoch:
            order = RANDOM.at(self.settings.seed, epoch, _ORDER).permutation(self.release.blocks)
            self._order = epoch, order.tolist(), np.diff(self.release.firsts["pairs"])[order].cumsum()
        _, in_order, ends = self._order
        if self.release.window == self.release.blocks:
            return in_order, 0
        position = int(ends.searchsorted(step * ends[-1] / len(self), side="right"))
        return in_order, min(position, len(in_order) - 1)

    def _view(self, epoch: int, step: int) -> View:
        if self._process != os.getpid():  # of a fork, no thread is left
            self._process, self._at = os.getpid(), (-1, -1)
            self._window: View | None = None
            self._store = Store(self.release.store.url, writable=False)
            self._pool, self._ahead = ThreadPoolExecutor(_READERS), ThreadPoolExecutor(1)
            self._blocks: dict[int, Future[_Block]] = {}
        order, position = self._order_and_position(epoch, step)
        if self._window is None or self._at != (epoch, position):
            numbers = self._window_at(order, position)
            self._window = None  # so that no block is in memory that is not needed any more
            self._hold_blocks(numbers)
            try:
                self._window = self._window_view([self._blocks[number].result() for number in numbers])
            except BaseException:
                self._blocks.clear()  # to be read anew, if this is tried again
                raise
            self._at = (epoch, position)
            following = self._window_at(order, position + 1) if position + 1 < len(order) else self.blocks_at(epoch + 1, 0)
            self._hold_blocks([*numbers, *[number for number in following if number not in numbers][:1]])
        return self._window

    def _hold_blocks(self, numbers: Sequence[int]) -> None:
        """Have these blocks, or begin to read them, and let go of all others."""
        for number in set(self._blocks) - set(numbers):
            self._blocks.pop(number).cancel()
        for number in numbers:
            if number not in self._blocks:
                self._blocks[number] = self._ahead.submit(self._read_block, number)

    def _read_block(self, number: int) -> _Block:
        return self.release.read(self._store, number, self._bits, self._pool)

    def _window_view(self, blocks: Sequence[_Block]) -> View:
        """A window as a release of its own, with rows of its own."""
        firsts = self.release.firsts
        numbers = [block.number for block in blocks]
        rows = {table: [np.arange(*firsts[table][number : number + 2]) for number in numbers] for table in firsts}
        of_release = {table: np.concatenate(parts) for table, parts in rows.items()}
        links = np.concatenate([block.links for block in blocks])
        in_window = np.ones(len(links), dtype=bool)
        begins = {table: np.cumsum([0, *map(len, rows[table])])[:-1] for table in TABLES}
        for column, table in enumerate(TABLES):
            block_of = firsts[table].searchsorted(links[:, column], side="right") - 1
            place = np.full(self.release.blocks, -1)
            place[numbers] = begins[table] - firsts[table][numbers]
            in_window &= np.isin(block_of, numbers)
            links[:, column] += place[block_of]
        columns = pairs_in_memory(links[in_window], len(self.release.sources), len(self.release.languages))
        sampler = Sampler(columns, self.release.sources, self.release.languages, self.settings, self.release.totals, is_part=True)
        log.info(
            "blocks %s: %s pairs, %s more left out, as their passages are in other blocks",
            ", ".join(map(str, numbers)),
            f"{len(columns):,}",
            f"{int((~in_window).sum()):,}",
        )
        return View(
            sampler,
            columns,
            WindowTexts(blocks, len(self.release.languages), begins),
            (of_release["pairs"][in_window], of_release["queries"], of_release["passages"]),
        )

    def _release_identity(self) -> str:
        return f"{release_identity(self.release.manifest)}-window-{self.release.window}"


class WindowTexts:
    """The texts of some blocks by row and language; rows are those of the blocks, one block after the other."""

    def __init__(self, blocks: Sequence[_Block], languages: int, firsts: Mapping[str, Integers]) -> None:
        """`firsts` are, by table, the first row of each block."""
        self._data: list[bytes] = []
        self._firsts = firsts
        self._bases = {table: np.zeros((len(blocks), languages), np.int64) for table in TABLES}
        ends: list[Integers] = []
        begins = itertools.accumulate((len(region.ends) for block in blocks for region in block.regions.values()), initial=0)
        self._begins = np.array(list(begins)[:-1], np.int64)
        for number, block in enumerate(blocks):
            for (table, bit), region in block.regions.items():
                self._bases[table][number, bit] = self._begins[len(self._data)]
                self._data.append(region.data)
                ends.append(region.ends)
        self._ends = np.concatenate(ends)

    def places(self, table: str, rows: Integers, languages: Integers) -> Integers:
        """Where `take` finds the texts of rows of a table, each in a language: a number of the release's."""
        block = self._firsts[table].searchsorted(rows, side="right") - 1
        return np.asarray(self._bases[table][block, languages] + rows - self._firsts[table][block], dtype=np.int64)

    def take(self, places: Integers, prefixes: Iterable[str]) -> list[str]:
        """The prefix and the text of each place; no text where it was rejected."""
        data, regions = self._data, (self._begins.searchsorted(places, side="right") - 1).tolist()
        spans = zip(prefixes, regions, self._ends.take(places).tolist(), self._ends.take(places + 1).tolist(), strict=True)
        return [prefix + data[region][start:end].decode() for prefix, region, start, end in spans]


def stream_release(path: str | Path, window: int = 2) -> StreamedRelease:
    """A release to be read while batches are drawn: its folder or `s3://` address, or a store, whose latest release is meant.

    Batches are drawn from `window` blocks at a time. Every file is checked against the manifest when it is read. Raises UserError
    where `path` holds no release.
    """
    return StreamedRelease(release_store(str(path)), window)
