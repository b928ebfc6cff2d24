"""What a command that worked in a store says at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from parallel_qa.flows.cli.console import out, print_line

if TYPE_CHECKING:
    from parallel_qa.pipeline.release.making.publish import Release
    from parallel_qa.pipeline.work import Outcome


def print_outcome(outcome: Outcome, new_release: bool = False) -> None:
    """Print how many units of work were done, and how many were there already."""
    if outcome.done == 0 and not new_release:
        out.print(f"Nothing to do: all {outcome.skipped} units of work are in the store already.")
    else:
        out.print(f"Done: {outcome.done} units of work; {outcome.skipped} were in the store already.")


def print_release(release: Release, store: str) -> None:
    """Print what was read, kept and set aside on the way to a release, where it lies and how to use it."""
    from parallel_qa.pipeline.store import Store

    manifest = release.manifest
    for table in (_english_rows(manifest), _texts_kept(manifest), _reasons(manifest)):
        out.print(table)
    folder = Store(store).local_path(release.path)
    print_line(f"Release {manifest['version']}{'' if release.new else ' (unchanged)'}: {folder}")
    code = manifest["languages"][1]
    for purpose, way in (
        ("read about it", f"{folder}/README.md"),
        ("as a data set", f'datasets.load_dataset("{folder}", "queries-{code}", split="train")'),
        ("as batches", f'parallel_qa.pipeline.batches.open_release("{folder}").batches(alpha=0.5, batch_size=32)'),
    ):
        print_line(f"  {purpose:14} {way}")


def _english_rows(manifest: dict[str, Any]) -> Table:
    table = Table("source", "rows read", "kept", "%", title="English rows", title_justify="left")
    for source, facts in manifest["sources"].items():
        rows = facts["rows"]
        table.add_row(source, str(rows["read"]), str(rows["kept"]), _percent_kept(rows))
    return table


def _texts_kept(manifest: dict[str, Any]) -> Table:
    from parallel_qa.pipeline.languages import LANGUAGES

    table = Table(
        "source", "language", "queries", "passages", "pairs", "% of pairs", title="Kept of read, by language", title_justify="left"
    )
    for source, facts in manifest["sources"].items():
        for code in manifest["languages"][1:]:
            if code in facts.get("not_translated", []):
                continue
            counts = facts["languages"][code]
            kept_of_read = (f"{counts[name]['kept']} / {counts[name]['read']}" for name in ("queries", "passages", "pairs"))
            table.add_row(source, LANGUAGES.find(code).name, *kept_of_read, _percent_kept(counts["pairs"]))
    return table


def _reasons(manifest: dict[str, Any]) -> Table:
    from parallel_qa.pipeline.release.layout.survival import rejected_by_reason

    table = Table("rejected", "reason", "count", title="Set aside, by reason", title_justify="left")
    for noun, reason, count in rejected_by_reason(manifest):
        table.add_row(noun, reason, str(count))
    return table


def _percent_kept(counts: dict[str, Any]) -> str:
    return f"{100 * counts['kept'] / counts['read']:.1f}" if counts["read"] else "-"
