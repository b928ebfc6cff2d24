"""Does `verify` find what somebody changed in a release, and what does finding it rest on?

    python -m benchmarks.verify [--edits N] [--seed N] [--articles N] [--pairs N]

Makes a release with the sample model: three sources that share texts, one of which stays English and one of which has two languages of
three; several blocks, mined negatives, answers. Then makes N seeded edits of it (`edits.py`), all kinds in turn, each in a random place
and on a copy of its own, and seals the release again. The last line is JSON. By kind and in all, how many of the tried were found where

- `files`: checksums, sizes and rows of files and the seal of the manifest were made to fit;
- `rows`: the checksums of rows too, so that what is found follows from the rows, or from what the files say of the release;
- `everything`: what each file says of the release too, so that what is found follows from the rows and the manifest alone.

`over_sha256` is the processor time of `verify` by that of SHA-256 over the same files, and `peak_mb` its peak memory, for a synthetic
release of `--pairs` pairs over a fifth as many passages in four languages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks import resealing
from benchmarks.edits import EDITS, Draft
from benchmarks.measuring import peak_mb, processor_seconds, run_alone
from benchmarks.release import LANGUAGES, Folder, make_source, write_release
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.layout.provenance import METADATA, of_file, provenance, shared_texts
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import HOUSE, load_settings
from parallel_qa.pipeline.store import Store

SEALED = ("files", "rows", "everything")
_TRIES = 100
"""An edit that changes nothing is drawn again, so often at most."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--articles", type=int, default=60, help="of the sample set")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cost", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        _make_synthetic(given.make, given.pairs)
        return
    if given.cost:
        print(json.dumps(_cost(given.cost)))
        return
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        synthetic = Path(scratch) / "synthetic"
        run_alone("benchmarks.verify", "--make", synthetic, "--pairs", given.pairs)
        cost = run_alone("benchmarks.verify", "--cost", synthetic / "release")
        release = make_release(Path(scratch), given.articles)
        faults = [str(fault) for fault in verify(Store(str(release), writable=False))]
        assert faults == [], faults
        figures = try_edits(release, Path(scratch) / "edited", given.edits, given.seed)
    print(json.dumps(figures | cost))


def _make_synthetic(folder: Path, pairs: int) -> None:
    """Write a release to `folder`/release."""
    languages = LANGUAGES[:3]
    make_source(folder / "source", pairs, pairs // 5, languages)
    write_release(Folder(folder / "source", "synthetic", pairs, pairs // 5, languages), folder / "release", languages)
    print(json.dumps({}))


def _cost(release: Path) -> dict[str, float]:
    """What it costs to verify a sound release."""
    began = processor_seconds()
    for file in release.rglob("*.*"):
        hashlib.sha256(file.read_bytes())
    hashed = processor_seconds()
    faults = [str(fault) for fault in verify(Store(str(release), writable=False))]
    assert faults == [], faults
    return {"over_sha256": round((processor_seconds() - hashed) / (hashed - began), 1), "peak_mb": round(peak_mb())}


def make_release(folder: Path, articles: int) -> Path:
    """The folder of a release of so many articles of the sample set."""
    content = json.loads((HOUSE / "pipeline/sample/data/questions.json").read_text(encoding="utf-8"))["data"][-articles:]
    third = articles // 3
    sources = {"all": (content[: 2 * third], None), "some": (content[third:-third], ["de", "ar"]), "plain": (content[-2 * third :], [])}
    for name, (part, languages) in sources.items():
        (folder / f"{name}.json").write_text(json.dumps({"version": "1", "data": part}), encoding="utf-8")
        front = {"name": name, "title": name, "format": "squad", "files": [f"{name}.json"], "licence": "CC-BY-4.0", "languages": languages}
        card = yaml.safe_dump({key: value for key, value in front.items() if value is not None})
        (folder / f"{name}.md").write_text(f"---\n{card}---\n# {name}\n", encoding="utf-8")
    profile = {
        "name": "edited",
        "sources": [f"./{name}.md" for name in sources],
        "evaluation": [],
        "languages": ["de", "ar", "zh"],
        "release": {"shard_bytes": 8_000, "mined_negatives": 2},
        "filters": {"min_answers": 95},
    }
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    settings, store = load_settings(str(folder / "profile.yaml")), Store(str(folder / "store"))
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    return Path(store.root) / publish(settings, store).path


def try_edits(release: Path, target: Path, count: int, seed: int) -> dict[str, Any]:
    """Make so many edits of a release, and seal and verify each in every way; the counts that the last line has."""
    found = {kind: dict.fromkeys(("tried", *SEALED), 0) for kind in EDITS}
    for number in range(count):
        kind = list(EDITS)[number % len(EDITS)]
        draft = _draft(release, kind, f"{seed} {number}")
        found[kind]["tried"] += 1
        for way in SEALED:
            write(draft, release, target, way)
            hit = next(verify(Store(str(target), writable=False)), None)
            found[kind][way] += hit is not None
            if hit is None and way == "rows":
                print(f"{kind} {number}: not found without the checksum of rows: {_described(draft)}", flush=True)
    in_all = {name: sum(counts[name] for counts in found.values()) for name in ("tried", *SEALED)}
    return {"in_all": in_all, "by_kind": {kind: counts for kind, counts in found.items() if counts["tried"]}}


def _draft(release: Path, kind: str, seed: str) -> Draft:
    """An edit of this kind that changes something."""
    for attempt in range(_TRIES):
        draft = Draft(release, random.Random(f"{seed} {attempt}"))
        EDITS[kind](draft)
        if draft.changes_something():
            return draft
    raise RuntimeError(f"{kind}: {_TRIES} edits changed nothing")


def write(draft: Draft, release: Path, target: Path, way: str) -> None:
    """Write the edited release to `target`, sealed in one of the ways of `SEALED`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(release, target, copy_function=os.link)
    manifest = draft.manifest
    for name in draft.removed:
        (target / name).unlink()
    files = {name: facts for name, facts in draft.before["files"].items() if name not in draft.removed}
    written = dict(draft.written)
    if way == "everything":
        about = provenance(manifest)
        shared = shared_texts({source: facts["shared"] for source, facts in manifest["sources"].items()})
        for name in sorted({*written, *(name for name in files if name.endswith(".parquet"))}):
            content = json.dumps(about | of_file(name) | (shared if name.startswith("pairs/") else {}), sort_keys=True, ensure_ascii=False)
            written[name] = draft.table(name).replace_schema_metadata({METADATA: content})
    for name, text in draft.texts.items():
        resealing.replace(target / name, text.encode())
        files[name] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    resealing.replace(target / MANIFEST, json.dumps(manifest | {"files": files}).encode())
    resealing.rewrite(target, written, digest=way != "files")


def _described(draft: Draft) -> str:
    """What an edit has changed, for people."""
    changed = [f"{field}" for field, value in draft.manifest.items() if value != draft.before[field]]
    return ", ".join([*sorted(draft.written), *sorted(draft.removed), *sorted(draft.texts), *changed])


if __name__ == "__main__":
    main()
