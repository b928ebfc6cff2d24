"""Commands that make a release, check it, compare it with another, and hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from parallel_qa.flows.cli.console import ProfileArgument, ReleaseArgument, StoreOption, err, out, print_line
from parallel_qa.flows.cli.summary import print_release
from parallel_qa.flows.display import current_progress, progress_bars
from parallel_qa.pipeline.errors import UserError

if TYPE_CHECKING:
    from parallel_qa.pipeline.release.reading.diff import ReleaseDiff
    from parallel_qa.pipeline.store import Store

app = typer.Typer()


@app.command()
def publish(
    profile: ProfileArgument,
    store: StoreOption,
    push_to_hub: Annotated[str, typer.Option(help="ORG/NAME of a data set on the Hugging Face hub to upload the release to.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be uploaded.")] = False,
    public: Annotated[bool, typer.Option("--public", help="A data set that is made anew can be read by everybody.")] = False,
) -> None:
    """Stage 4: write the release: Parquet shards, manifest and dataset card; and upload it, if asked to."""
    from parallel_qa.pipeline.release.sharing.upload import push
    from parallel_qa.pipeline.store import Store

    if dry_run and not push_to_hub:
        raise UserError("--dry-run goes with --push-to-hub: a release itself costs nothing and changes no other")
    with progress_bars(err):
        from parallel_qa.flows.publish import publish as publish_flow

        release = publish_flow(profile, store)
    print_release(release, store)
    if not push_to_hub:
        return
    released = Store(f"{store.rstrip('/')}/{release.path}", writable=False)
    if dry_run:
        _print_upload(released, push_to_hub)
    else:
        print_line(f"Uploaded: {push(released, push_to_hub, private=not public)}")


def _print_upload(release: Store, repository: str) -> None:
    from parallel_qa.pipeline.release.sharing.upload import planned

    files = planned(release)
    for file in files:
        print_line(f"{file.bytes:>14,}  {file.name}")
    print_line(f"{len(files)} files, {sum(file.bytes for file in files):,} bytes, would go to {repository}.")


@app.command()
def mine(
    profile: ProfileArgument,
    store: StoreOption,
    negatives: Annotated[int, typer.Option(help="Hard negatives of each pair.", min=1)] = 4,
) -> None:
    """Publish a release whose pairs have hard negatives, found by BM25; in a profile: release.mined_negatives."""
    from parallel_qa.pipeline.release.making.publish import publish as publish_release
    from parallel_qa.pipeline.settings import load_settings
    from parallel_qa.pipeline.store import Store

    settings = load_settings(profile)
    mined = settings.release.model_copy(update={"mined_negatives": negatives})
    with progress_bars(err):
        release = publish_release(settings.model_copy(update={"release": mined}), Store(store), current_progress())
    print_release(release, store)


@app.command()
def verify(release: ReleaseArgument) -> None:
    """Read a whole release again and name every fault by file and row; exit code 1 if there is one."""
    from parallel_qa.pipeline.batches import release_store
    from parallel_qa.pipeline.release.reading.verify import verify as faults_of

    count = 0
    with progress_bars(err):
        for fault in faults_of(release_store(release), current_progress()):
            count += 1
            print_line(str(fault), err)
    if count:
        err.print(f"{count} faults: get the release again, or publish it again from its store.")
        raise typer.Exit(1)
    out.print("All is as the manifest says.")


@app.command()
def diff(
    first: ReleaseArgument,
    second: Annotated[str, typer.Argument(help="The other release.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what changed from one release to another: rows, languages, scores and reasons."""
    from parallel_qa.pipeline.batches import release_store
    from parallel_qa.pipeline.release.reading.diff import diff as compare
    from parallel_qa.pipeline.release.reading.diff import to_json

    changes = compare(release_store(first), release_store(second))
    if as_json:
        print(to_json(changes))
    else:
        _print_changes(changes)


def _print_changes(changes: ReleaseDiff) -> None:
    for verb, codes in (("added", changes.added_languages), ("removed", changes.removed_languages)):
        if codes:
            out.print(f"Languages {verb}: {', '.join(codes)}")
    for name, (before, after) in changes.settings.items():
        print_line(f"{name}: {before} → {after}")
    counts = (Column(name, no_wrap=True) for name in ("table", "added", "removed", "other text"))
    table = Table(*counts, "kept or rejected otherwise", "scores")
    table.add_row("pairs", str(changes.pairs.added), str(changes.pairs.removed), "", "", "")
    for (name, code), texts in changes.texts.items():
        fates = ", ".join(f"{old or 'kept'} → {new or 'kept'} {count}" for (old, new), count in texts.fates.items())
        scores = ", ".join(f"{score} {mean:+.3g} in {count}" for score, (count, mean) in texts.scores.items())
        table.add_row(f"{name}/{code}", str(texts.added), str(texts.removed), str(texts.changed), fates, scores)
    out.print(table)


@app.command()
def export(
    release: ReleaseArgument,
    output: Annotated[Path, typer.Option(help="An empty folder, or one to be made.")],
    kind: Annotated[str, typer.Option("--format", help="sentence-transformers, flagembedding, tevatron, beir.")] = "sentence-transformers",
    direction: Annotated[list[str] | None, typer.Option(help="Languages of query and passage: de-en; repeat it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every language with every language.")] = False,
    negatives: Annotated[int, typer.Option(help="Hard negatives of each pair; not more than the release has.", min=0)] = 0,
) -> None:
    """Write a release in the format of another tool. Each language with itself, if no direction is given."""
    from parallel_qa.pipeline.batches import release_store
    from parallel_qa.pipeline.release.reading.reader import directions_of
    from parallel_qa.pipeline.release.sharing.export import export as write_examples

    store = release_store(release)
    counts = write_examples(store, kind, output, directions_of(store, direction or [], everything), negatives)
    for count in counts:
        if count.left_out:
            print_line(f"{count.direction}: {count.left_out:,} pairs left out, as too few of their negatives survived")
    print_line(f"{sum(count.examples for count in counts):,} examples: {output}")
