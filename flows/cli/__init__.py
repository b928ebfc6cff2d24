"""The command `parallel-qa`."""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

# Prefect reads this when it is imported. What fails is reported below, once, without its stack of states.
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Column, Table

from parallel_qa.flows.display import bars, current_progress
from parallel_qa.pipeline.batch_settings import batch_settings
from parallel_qa.pipeline.batches import Batch, BatchSettings, open_release, release_store
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.batches.preview.drawn import Preview, first_batches, preview
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.making.publish import Release, check_licences
from parallel_qa.pipeline.settings import Environment, assignments, load_settings
from parallel_qa.pipeline.sources.card import find_card, shipped_cards
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.evaluation import evaluation_cards
from parallel_qa.pipeline.sources.fetching import pin, unpinned
from parallel_qa.pipeline.sources.records import Pair, SetAside
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation.model_finding import check_model
from parallel_qa.pipeline.translation.plan import Step
from parallel_qa.pipeline.translation.plan import plan as make_plan
from parallel_qa.pipeline.work import Outcome

app = typer.Typer(
    name="parallel-qa",
    help="Turn English question-answering sets into parallel, checked, multilingual training data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
model_app = typer.Typer(help="Convert and look at translation models.", no_args_is_help=True)
app.add_typer(model_app, name="model")
sources_app = typer.Typer(help="Look at data cards, try them and pin them.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")

SHOWN_SHARES = 12
"""Of more shares only those that deviate most are printed."""

out = Console()
err = Console(stderr=True)

ProfileArgument = Annotated[str, typer.Argument(help="A ready profile (sample, nllb) or the path of a YAML file.")]
CardArgument = Annotated[str, typer.Argument(help="The name of a shipped card, or the path of one.")]
StoreOption = Annotated[str, typer.Option("--store", help="Where everything is kept: a folder or an s3:// address.")]


@contextmanager
def _ready(profile: str, store: str) -> Iterator[None]:
    """Check what the user gave before anything is started, and show progress while the block runs."""
    settings = load_settings(profile)
    check_licences(settings)
    evaluation_cards(settings)
    check_model(settings.translation, settings.folder, map(LANGUAGES.find, settings.languages))
    Store(store)
    with bars(err):
        yield


@app.command()
def run(profile: ProfileArgument, store: StoreOption) -> None:
    """Run all four stages: download, translate, filter and publish.

    Only what the store does not hold yet is done: run it again after a break, a new row or a new language.
    """
    with _ready(profile, store):
        from parallel_qa.flows.refresh import refresh

        refreshed = refresh(profile, store)
    _report_outcome(refreshed.outcome, refreshed.release.new)
    _report_release(refreshed.release, store)


@app.command()
def plan(profile: ProfileArgument, store: StoreOption) -> None:
    """Print what a run would do, with estimated tokens and time, before anything is spent."""
    settings = load_settings(profile)
    table = Table("step", "units to do", "of", "tokens", "time")
    steps = make_plan(settings, Store(store, writable=False))
    for step in steps:
        unknown = "depends" if step.to_do is None else str(step.to_do)
        tokens = "" if step.tokens is None else f"{step.tokens:,}"
        table.add_row(step.name, unknown, str(step.units or ""), tokens, _duration(step))
    out.print(table)
    total = sum(step.tokens or 0 for step in steps)
    out.print(f"At most about {total:,} tokens to write. Times follow from what was done in this store before; nothing was done just now.")


def _duration(step: Step) -> str:
    if step.seconds is None:
        return "unknown" if step.tokens else ""
    return f"{step.seconds / 3600:.1f} h" if step.seconds >= 3600 else f"{step.seconds / 60:.1f} min"


@app.command()
def download(profile: ProfileArgument, store: StoreOption) -> None:
    """Stage 1: read the sources; clean, deduplicate and check their rows."""
    with _ready(profile, store):
        from parallel_qa.flows.prepare import download as flow

        outcome = flow(profile, store)
    _report_outcome(outcome)


@app.command()
def translate(
    profile: ProfileArgument,
    store: StoreOption,
    part: Annotated[str, typer.Option(help="2/3: every third unit from the second on, so that three workers share a store.")] = "1/1",
    runner: Annotated[str, typer.Option(help="threads, dask or ray.")] = "threads",
) -> None:
    """Stage 2: translate every unique sentence into every language, and back."""
    with _ready(profile, store):
        from parallel_qa.flows.translate import translate as flow

        outcome = flow(profile, store, part, runner)
    _report_outcome(outcome)


@app.command("filter")
def filter_texts(
    profile: ProfileArgument,
    store: StoreOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Score nothing; show what the thresholds would keep.")] = False,
    changed: Annotated[list[str] | None, typer.Option("--set", help="With --dry-run, another threshold: min_names=0.5; repeat it.")] = None,
) -> None:
    """Stage 3: score every translated text and show what the thresholds keep."""
    from parallel_qa.pipeline.filters.review.proposal import tallies, with_thresholds

    settings = load_settings(profile)
    if changed and not dry_run:
        raise UserError("--set goes with --dry-run: write the threshold into the profile to keep it")
    other = with_thresholds(settings, changed or [])
    if not dry_run:
        with _ready(profile, store):
            from parallel_qa.flows.filter import filter_texts as flow

            outcome = flow(profile, store)
        _report_outcome(outcome)
    choices = [settings.filters, other.filters] if changed else [settings.filters]
    columns = ["source", "language", "table", "read", "kept", *(["kept then"] if changed else [])]
    table = Table(*(Column(name, no_wrap=True) for name in columns), "rejected")
    for (source, code, name), counts in tallies(settings, Store(store, writable=not dry_run), choices).items():
        why = ", ".join(f"{reason} {count}" for reason, count in counts[-1].rejected.most_common())
        table.add_row(source, code, name, str(counts[0].read), *(str(count.kept) for count in counts), why)
    out.print(table)


@app.command()
def calibrate(
    profile: ProfileArgument,
    store: StoreOption,
    keep: Annotated[float, typer.Option(help="The share of (good) texts to keep.", min=0.01, max=0.999)] = 0.95,
    marks: Annotated[Path | None, typer.Option(help="Marks that the report exported: what is good and what is bad.")] = None,
    per_language: Annotated[bool, typer.Option("--per-language", help="Thresholds for each language.")] = False,
    per_kind: Annotated[bool, typer.Option("--per-kind", help="Thresholds for questions and for passages.")] = False,
) -> None:
    """Propose thresholds from the scores of a run that was filtered, to paste into its profile."""
    from parallel_qa.pipeline.filters.review.human import load_marks
    from parallel_qa.pipeline.filters.review.proposal import propose_filters

    settings, thought = load_settings(profile), load_marks(marks) if marks else None
    proposal = propose_filters(settings, Store(store, writable=False), keep, thought, per_language, per_kind)
    out.print(proposal.to_yaml(), markup=False, highlight=False, end="")
    what = "texts marked good" if marks else "texts"
    err.print(f"From {proposal.rows:,} texts. Kept of {what}: {proposal.kept_before:.1%} before, {proposal.kept_after:.1%} with these.")
    if proposal.bad_before is not None and proposal.bad_after is not None:
        err.print(f"Kept of texts marked bad: {proposal.bad_before:.1%} before, {proposal.bad_after:.1%} with these.")


@app.command()
def report(
    profile: ProfileArgument,
    store: StoreOption,
    output: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    rows: Annotated[int, typer.Option(help="Texts to show of each source and table, and of each reason.", min=1)] = 100,
) -> None:
    """Write one HTML page about a run that was filtered: counts, scores, what was rejected and what was kept."""
    from parallel_qa.pipeline import pages
    from parallel_qa.pipeline.filters.review.report import report_page

    pages.check_place(output)
    pages.write(report_page(load_settings(profile), Store(store, writable=False), rows), output)
    out.print(f"Report: {output}", soft_wrap=True, highlight=False)


@app.command()
def languages() -> None:
    """List NLLB's languages and what says whether a text is in them, as a Markdown table."""
    from parallel_qa.pipeline.identification import table

    print(table())


@app.command()
def publish(
    profile: ProfileArgument,
    store: StoreOption,
    push_to_hub: Annotated[str, typer.Option(help="ORG/NAME of a data set on the Hugging Face hub to upload the release to.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be uploaded.")] = False,
    public: Annotated[bool, typer.Option("--public", help="A data set that is made anew can be read by everybody.")] = False,
) -> None:
    """Stage 4: write the release: Parquet shards, manifest and dataset card; and upload it, if asked to."""
    from parallel_qa.pipeline.release.sharing.upload import planned, push

    if dry_run and not push_to_hub:
        raise UserError("--dry-run goes with --push-to-hub: a release itself costs nothing and changes no other")
    with _ready(profile, store):
        from parallel_qa.flows.publish import publish as flow

        release = flow(profile, store)
    _report_release(release, store)
    if not push_to_hub:
        return
    released = Store(f"{store.rstrip('/')}/{release.path}", writable=False)
    if dry_run:
        files = planned(released)
        for file in files:
            out.print(f"{file.bytes:>14,}  {file.name}", soft_wrap=True, highlight=False)
        out.print(f"{len(files)} files, {sum(file.bytes for file in files):,} bytes, would go to {push_to_hub}.", highlight=False)
    else:
        out.print(f"Uploaded: {push(released, push_to_hub, private=not public)}", soft_wrap=True, highlight=False)


@app.command()
def mine(
    profile: ProfileArgument,
    store: StoreOption,
    negatives: Annotated[int, typer.Option(help="Hard negatives of each pair.", min=1)] = 4,
) -> None:
    """Publish a release whose pairs have hard negatives, found by BM25; in a profile: release.mined_negatives."""
    from parallel_qa.pipeline.release.making.publish import publish as stage

    settings = load_settings(profile)
    mined = settings.release.model_copy(update={"mined_negatives": negatives})
    with _ready(profile, store):
        release = stage(settings.model_copy(update={"release": mined}), Store(store), current_progress())
    _report_release(release, store)


ReleaseArgument = Annotated[str, typer.Argument(help="The folder of a release, or a store, whose latest release is meant.")]


@app.command()
def verify(release: ReleaseArgument) -> None:
    """Read a whole release again and name every fault by file and row; exit code 1 if there is one."""
    from parallel_qa.pipeline.release.reading.verify import verify as stage

    found = 0
    with bars(err):
        for fault in stage(release_store(release), current_progress()):
            found += 1
            err.print(str(fault), markup=False, highlight=False, soft_wrap=True)
    if found:
        err.print(f"{found} faults: get the release again, or publish it again from its store.")
        raise typer.Exit(1)
    out.print("All is as the manifest says.")


@app.command()
def diff(
    first: ReleaseArgument,
    second: Annotated[str, typer.Argument(help="The other release.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what changed from one release to another: rows, languages, scores and reasons."""
    from parallel_qa.pipeline.release.reading.diff import diff as compare
    from parallel_qa.pipeline.release.reading.diff import to_json

    found = compare(release_store(first), release_store(second))
    if as_json:
        print(to_json(found))
        return
    for what, codes in (("added", found.added_languages), ("removed", found.removed_languages)):
        if codes:
            out.print(f"Languages {what}: {', '.join(codes)}")
    for name, (before, after) in found.settings.items():
        out.print(f"{name}: {before} → {after}", markup=False, highlight=False, soft_wrap=True)
    table = Table(
        *(Column(name, no_wrap=True) for name in ("table", "added", "removed", "other text")), "kept or rejected otherwise", "scores"
    )
    table.add_row("pairs", str(found.pairs.added), str(found.pairs.removed), "", "", "")
    for (name, code), one in found.texts.items():
        fates = ", ".join(f"{old or 'kept'} → {new or 'kept'} {count}" for (old, new), count in one.fates.items())
        scores = ", ".join(f"{score} {mean:+.3g} in {count}" for score, (count, mean) in one.scores.items())
        table.add_row(f"{name}/{code}", str(one.added), str(one.removed), str(one.changed), fates, scores)
    out.print(table)


@app.command()
def export(
    release: ReleaseArgument,
    output: Annotated[Path, typer.Option(help="An empty folder, or one to be made.")],
    kind: Annotated[str, typer.Option("--format", help="sentence-transformers, flagembedding, tevatron, beir.")] = "sentence-transformers",
    direction: Annotated[list[str] | None, typer.Option(help="Languages of query and passage: de-en; repeat it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every language with every language.")] = False,
    negatives: Annotated[int, typer.Option(help="Hard negatives of each pair, where it has any.", min=0)] = 0,
) -> None:
    """Write a release in the format of another tool. Each language with itself, if no direction is given."""
    from parallel_qa.pipeline.release.reading.reader import directions_of
    from parallel_qa.pipeline.release.sharing.export import export as stage

    store = release_store(release)
    count = stage(store, kind, output, directions_of(store, direction or [], everything), negatives)
    out.print(f"{count:,} examples: {output}", soft_wrap=True, highlight=False)


@app.command()
def batches(
    release: ReleaseArgument,
    alpha: Annotated[float, typer.Option(help="Probability that a batch is monolingual.")] = 0.5,
    steps: Annotated[int | None, typer.Option(help="Draw so many batches and compare them with what is expected.", min=1)] = None,
    batch_size: Annotated[int, typer.Option(help="Examples in a batch.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same batches.")] = 0,
    language: Annotated[list[str] | None, typer.Option(help="A language to use, as code or tag; repeat it. All if none is given.")] = None,
    changed: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, in place of an option too: language_temperature=2; repeat it.")
    ] = None,
    show: Annotated[int, typer.Option(help="Examples to print of each batch.")] = 4,
    output: Annotated[Path | None, typer.Option(help="With --steps, where to write the page; batches.html if not given.")] = None,
) -> None:
    """Print the first monolingual and the first cross-lingual batch that training would see.

    With --steps, print and plot (HTML) the shares of kinds, sources and languages that were drawn and those to expect, repeats in
    an epoch, and some batches.
    """
    if output is not None and steps is None:
        raise UserError("--output goes with --steps")
    given = {"alpha": alpha, "languages": language, "batch_size": batch_size, "seed": seed}
    settings = batch_settings(**given | assignments(changed or [], "language_temperature=2"))
    if steps is None:
        for batch in first_batches(_loader(release, settings)):
            _print_batch(batch, show)
        return
    from parallel_qa.pipeline import pages
    from parallel_qa.pipeline.batches.preview.page import preview_page

    page = pages.check_place(output or Path("batches.html"))
    loader = _loader(release, settings)
    with bars(err):
        found = preview(loader, steps, current_progress())
    _print_preview(found)
    for batch in found.batches:
        _print_batch(batch, show)
    pages.write(preview_page(loader, found), page)
    out.print(f"Preview: {page}", soft_wrap=True, highlight=False)


@model_app.command("convert")
def model_convert(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a Hugging Face checkpoint of the NLLB family.")],
    output: Annotated[Path, typer.Argument(help="Folder for the converted model; must not exist.")],
    quantization: Annotated[str, typer.Option(help="int8, float16, int8_float16 or float32.")] = "int8",
    name: Annotated[str | None, typer.Option(help="What the model is called in manifests; the folder's name if not given.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier of the model's licence.")] = None,
) -> None:
    """Convert a checkpoint for CTranslate2 (needs the extra `convert`)."""
    from parallel_qa.pipeline.translation.conversion import convert

    if output.exists():
        raise UserError(f"{output} exists already: choose another folder, or delete it")
    model = convert(checkpoint, output, name=name or output.name, licence=licence, quantization=quantization)
    out.print(f"{model.folder}: {len(model.codes)} languages, fingerprint {model.fingerprint}")


@model_app.command("list")
def model_list() -> None:
    """List the models on this machine: the sample model, and those converted before."""
    from parallel_qa.pipeline.translation.model_finding import SAMPLE
    from parallel_qa.pipeline.translation.models import MODEL_FILE, open_model

    table = Table("model", "family", "weights", "licence", "languages", "folder")
    for folder in [SAMPLE, *sorted(path.parent for path in Environment().models.glob(f"*/{MODEL_FILE}"))]:
        model = open_model(folder)
        known = (model.name, model.family.name, model.quantization or "unknown", model.licence or "unknown", str(len(model.codes)))
        table.add_row(*map(escape, known), escape(str(folder)))
    out.print(table)


@model_app.command("info")
def model_info(folder: Annotated[Path, typer.Argument(help="Folder of a converted model.")]) -> None:
    """Show what a converted model is; checks its files."""
    from parallel_qa.pipeline.translation.models import open_model

    model = open_model(folder)
    table = Table(show_header=False)
    table.add_row("name", model.name)
    table.add_row("family", model.family.name)
    table.add_row("licence", model.licence or "unknown")
    table.add_row("weights", model.quantization or "unknown")
    table.add_row("fingerprint", model.fingerprint)
    table.add_row("languages", ", ".join(sorted(model.codes)))
    out.print(table)


@sources_app.command("list")
def sources_list() -> None:
    """List the cards that come with the project."""
    table = Table(Column("card", no_wrap=True), "for", "licence", "what it is")
    for name in shipped_cards():
        card = find_card(name, Path())
        table.add_row(name, f"{card.role}{' (not pinned)' if unpinned(card) else ''}", escape(card.licence), escape(card.title))
    out.print(table)


@sources_app.command("show")
def sources_show(card: CardArgument) -> None:
    """Show a card: its configuration and what it says for people."""
    out.print(find_card(card, Path()).path.read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)


@sources_app.command("check")
def sources_check(
    card: CardArgument,
    rows: Annotated[int, typer.Option(help="Rows to read.", min=1)] = 5,
) -> None:
    """Read the first rows of a card and print them mapped; where they cannot be, say what the file has instead."""
    read = 0
    found = find_card(card, Path())
    for row in itertools.islice(read_rows(found), rows):
        read += 1
        _print_row(row)
    if not read:
        raise UserError(f"{found.path}: there are no rows: look at `files`, `split`, `items` and `rows` of the card")


@sources_app.command("pin")
def sources_pin(
    cards: Annotated[list[str] | None, typer.Argument(help="Names of shipped cards, or paths of cards.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All shipped cards that have no commit yet.")] = False,
    branch: Annotated[str, typer.Option(help="Branch whose commit is meant; the card's own revision if not given.")] = "",
) -> None:
    """Find the commit that a card's branch is at now, and write it into the card."""
    found = [find_card(name, Path()) for name in (cards or [])]
    if every:
        found += [card for card in (find_card(name, Path()) for name in shipped_cards()) if unpinned(card)]
    if not found:
        raise UserError("sources pin: name a card, or give --all")
    for card in found:
        old, new = pin(card, branch)
        out.print(f"{card.path}: {old} is now {new}", soft_wrap=True, highlight=False)


def _print_row(row: Pair | SetAside) -> None:
    table = Table(show_header=False, title=escape(row.position), title_justify="left")
    if isinstance(row, SetAside):
        table.add_row("set aside", row.reason)
    for name in ("query", "title", "passage", "answer", "detail"):
        value = getattr(row, name, None)
        if value:
            table.add_row(name, escape(_shortened(value)))
    if isinstance(row, Pair):
        for negative in row.negatives[:3]:
            table.add_row("negative", escape(_shortened(negative.text)))
        if len(row.negatives) > 3:
            table.add_row("", f"and {len(row.negatives) - 3} more negatives")
    out.print(table)


def _shortened(text: str, length: int = 400) -> str:
    shown = text.encode(errors="backslashreplace").decode()
    return shown if len(shown) <= length else f"{shown[:length]} … ({len(text)} characters)"


def _report_outcome(outcome: Outcome, new_release: bool = False) -> None:
    if outcome.done == 0 and not new_release:
        out.print(f"Nothing to do: all {outcome.skipped} units of work are in the store already.")
    else:
        out.print(f"Done: {outcome.done} units of work; {outcome.skipped} were in the store already.")


def _report_release(release: Release, store: str) -> None:
    manifest = release.manifest
    rows = Table("source", "rows read", "kept", "%", title="English rows", title_justify="left")
    texts = Table(
        "source", "language", "queries", "passages", "pairs", "% of pairs", title="Kept of read, by language", title_justify="left"
    )
    reasons: Counter[tuple[str, str]] = Counter()
    for source, facts in manifest["sources"].items():
        rows.add_row(source, str(facts["rows"]["read"]), str(facts["rows"]["kept"]), _percent(facts["rows"]))
        reasons.update({("row", reason): count for reason, count in facts["rows"]["rejected"].items()})
        for code in manifest["languages"][1:]:
            counts = facts["languages"][code]
            kept = (f"{counts[table]['kept']} / {counts[table]['read']}" for table in ("queries", "passages", "pairs"))
            texts.add_row(source, LANGUAGES.find(code).name, *kept, _percent(counts["pairs"]))
            for table, noun in (("queries", "query"), ("passages", "passage")):
                reasons.update({(noun, reason): count for reason, count in counts[table]["rejected"].items()})
    rejected = Table("rejected", "reason", "count", title="Set aside, by reason", title_justify="left")
    for (noun, reason), count in reasons.most_common():
        rejected.add_row(noun, reason, str(count))
    for shown in (rows, texts, rejected):
        out.print(shown)
    folder = Store(store).local_path(release.path)
    out.print(f"Release {manifest['version']}{'' if release.new else ' (unchanged)'}: {folder}", soft_wrap=True, highlight=False)
    code = manifest["languages"][1]
    for what, how in (
        ("read about it", f"{folder}/README.md"),
        ("as a data set", f'datasets.load_dataset("{folder}", "queries-{code}", split="train")'),
        ("as batches", f'parallel_qa.pipeline.batches.open_release("{folder}").batches(alpha=0.5, batch_size=32)'),
    ):
        out.print(f"  {what:14} {how}", soft_wrap=True, highlight=False)


def _percent(counts: dict[str, Any]) -> str:
    return f"{100 * counts['kept'] / counts['read']:.1f}" if counts["read"] else "-"


def _loader(release: str, settings: BatchSettings) -> ReleaseLoader:
    with bars(err):
        return open_release(release, current_progress()).loader(settings)


def _print_preview(found: Preview) -> None:
    from parallel_qa.pipeline.batches.preview.page import epochs_in_words, headed, in_words

    for heading, shares in headed(found).items():
        table = Table(heading, *(Column(name, justify="right") for name in ("drawn", "%", "expected", "deviation")))
        ranked = sorted(shares.items(), key=lambda item: -abs(item[1].deviation or 0)) if len(shares) > SHOWN_SHARES else shares.items()
        for name, share in itertools.islice(ranked, SHOWN_SHARES):
            table.add_row(escape(name), *in_words(share).values())
        out.print(table)
        if len(shares) > SHOWN_SHARES:
            out.print(f"The {SHOWN_SHARES} that deviate most, of {len(shares)}; the page has all.")
    out.print("Deviations are in standard errors of the share drawn.")
    table = Table("times drawn", *(Column(name, justify="right") for name in ("pairs", "expected", "passages", "expected")))
    columns = [values for one in (found.pair_repeats, found.passage_repeats) for values in (one.drawn, one.expected)]
    for times, row in enumerate(zip(*columns, strict=True)):
        if any(round(value, 1) for value in row):
            last = " or more" if times == len(columns[0]) - 1 else ""
            table.add_row(f"{times}{last}", *(f"{value:,.1f}" for value in row))
    out.print(table)
    out.print(f"Repeats: {epochs_in_words(found)}.")


def _print_batch(batch: Batch, show: int) -> None:
    title = f"A {batch.kind} batch of {len(batch.queries)} from {batch.source}, its first {min(show, len(batch.queries))}"
    table = Table(title=escape(title), title_justify="left", show_lines=True)
    for column in ("query", "passage", *(["negatives"] if batch.negatives else [])):
        table.add_column(column, overflow="fold")  # some languages write without spaces
    negatives = [["\n".join(texts)] for texts in batch.negatives] or [[] for _ in batch.queries]
    examples = zip(batch.queries, batch.query_languages, batch.passages, batch.passage_languages, negatives, strict=True)
    for query, query_language, passage, passage_language, others in itertools.islice(examples, show):
        texts = (f"{query}  [{query_language}]", f"{passage}  [{passage_language}]", *others)
        table.add_row(*map(escape, texts))
    out.print(table)


def main() -> None:
    """Run the command; exit code 0 if all is well, 2 if the user can mend what is wrong, 1 for anything else."""
    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False) if err.is_terminal else logging.StreamHandler()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s" if err.is_terminal else "%(asctime)s %(message)s")
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, run the same command to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
