"""A release opened for training: checked once, mapped into memory, addressed by row and language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Pairs
from parallel_qa.pipeline.batches.loader import DrawableRelease, Loader, View, release_identity
from parallel_qa.pipeline.batches.mapped_links import mapped_pairs
from parallel_qa.pipeline.batches.mapped_texts import MappedTexts
from parallel_qa.pipeline.batches.sampling.sampler import Sampler, Totals
from parallel_qa.pipeline.batches.source_languages import available_languages
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest
from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.store import Store


class OpenRelease(DrawableRelease["ReleaseLoader"]):
    """A release that batches are drawn from. Texts are read from a cache on this machine, which is made once."""

    def __init__(self, store: Store, progress: Progress | None = None) -> None:
        """`store` is the folder of the release; `progress` hears of the making of the cache, the log if none is given.

        Raises UserError where it is none, or a file is damaged.
        """
        manifest = read_manifest(store.read(MANIFEST), f"{store.url}/{MANIFEST}")
        cache = Environment().cache.expanduser() / "releases" / release_identity(manifest)
        cache.mkdir(parents=True, exist_ok=True)
        self._store = store
        self.progress = progress or LogProgress()
        self._reader = Reader(store, cache)
        self.manifest: dict[str, Any] = manifest
        self.languages: list[str] = manifest["languages"]
        self.sources: list[str] = list(manifest["sources"])
        self.texts = MappedTexts(self._reader, cache)
        self.columns: Pairs = mapped_pairs(self._reader, self.sources, cache)

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker processes, which map the files again."""
        return OpenRelease, (self._store,)

    def _loader(self, settings: BatchSettings) -> ReleaseLoader:
        return ReleaseLoader(self, settings)


class ReleaseLoader(Loader):
    """Batches from all of a release at a time."""

    release: OpenRelease

    def __init__(self, release: OpenRelease, settings: BatchSettings) -> None:
        if settings.negatives and not len(release.columns.negative_rows):
            raise UserError("negatives: this release has none; set it to 0, or mine them first (`parallel-qa mine`)")
        index = release.columns.index
        totals = Totals(index.sizes, index.kept, available_languages(release.manifest, index.kept))
        self.sampler = Sampler(release.columns, release.sources, release.languages, settings, totals)
        release.texts.add(self.sampler.languages, release.progress)  # what is damaged shows now, not after an hour
        super().__init__(release, settings)
        self._all = View(self.sampler, release.columns, release.texts)

    def _view(self, epoch: int, step: int) -> View:
        return self._all


def release_store(path: str) -> Store:
    """The folder of a release: `path` itself, or in a store the latest release. Raises UserError where there is none."""
    store = Store(path, writable=False)
    if not store.exists(MANIFEST) and store.exists("releases/latest.json"):
        version = json.loads(store.read("releases/latest.json"))["version"]
        store = Store(f"{path.rstrip('/')}/releases/{version}", writable=False)
    if not store.exists(MANIFEST):
        raise UserError(f"{path}: no release here: it has no {MANIFEST}")
    return store


def open_release(path: str | Path, progress: Progress | None = None) -> OpenRelease:
    """Open a release: its folder, or a store, whose latest release is meant.

    Every file is checked against the manifest when it is read for the first time on this machine. Raises UserError where `path`
    holds no release or a file is missing or damaged.
    """
    return OpenRelease(release_store(str(path)), progress)
