"""The preview as one HTML page that needs nothing beside it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import plotly.graph_objects as go

from parallel_qa.pipeline import pages
from parallel_qa.pipeline.batch_settings import Alpha
from parallel_qa.pipeline.batches.loader import Batch
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.batches.preview.drawn import Preview, Repeats, Share
from parallel_qa.pipeline.languages import LANGUAGES

PAIRS = "Languages of query and passage in cross-lingual batches"

_LABELLED = 12
"""Languages up to which the fields of the map have numbers in them."""


def preview_page(loader: ReleaseLoader, preview: Preview) -> str:
    """The page about the preview of a loader, as HTML."""
    return pages.render(
        "parallel_qa.pipeline.batches.preview",
        "preview.html.jinja",
        _figures(preview),
        name=loader.release.manifest["version"],
        settings=_settings_in_words(loader, preview),
        tables=_tables(preview),
        repeats=[("pairs", preview.pair_repeats), ("passages", preview.passage_repeats)],
        epochs=epochs_in_words(preview),
        batches=[(batch, _examples(batch)) for batch in preview.batches],
    )


def headed(preview: Preview) -> dict[str, dict[str, Share]]:
    """All shares of a preview, under headings."""
    shares_by_heading = {
        "Kinds of batches": preview.kinds,
        "Sources of batches": preview.sources,
        "Languages of monolingual batches": _named(preview.monolingual),
        "Languages of queries": _named(preview.queries),
        "Languages of passages": _named(preview.passages),
        PAIRS: {f"{_name(query)} → {_name(passage)}": share for (query, passage), share in preview.pairs.items()},
    }
    return {heading: shares for heading, shares in shares_by_heading.items() if shares}


def _named(shares: Mapping[str, Share]) -> dict[str, Share]:
    return {_name(code): share for code, share in shares.items()}


def _name(code: str) -> str:
    return LANGUAGES.find(code).name


def epochs_in_words(preview: Preview) -> str:
    """What repeats are counted over."""
    if preview.epochs > 1:
        return f"the mean of {preview.epochs:,} epochs of {preview.epoch_steps:,} batches"
    return f"{preview.epoch_steps:,} batches of one epoch"


def _settings_in_words(loader: ReleaseLoader, preview: Preview) -> Iterator[tuple[str, str]]:
    settings, sampler = loader.settings, loader.sampler
    yield "batches", f"{preview.steps:,} of {settings.batch_size:,} examples, seed {settings.seed}"
    yield "an epoch", f"{len(loader):,} batches, as many as make as many examples as there are pairs"
    if settings.mode == "hybrid":
        yield "monolingual", f"with probability {_alpha_in_words(settings.alpha)}"
        for group in settings.alpha_groups:
            yield f"monolingual, {', '.join(group.languages)}", f"with probability {_alpha_in_words(group)}"
    else:
        yield "monolingual", "all" if settings.mode == "monolingual" else "none"
    yield "languages", ", ".join(f"{_name(code)} {share:.1%}" for code, share in sampler.language_shares.items())
    yield "sources", ", ".join(f"{name} {share:.1%}" for name, share in sampler.source_shares.items())
    for name, own in zip(loader.release.sources, sampler.of_sources, strict=True):
        if sampler.source_shares[name] and len(own.bits) < len(sampler.languages):
            names = ", ".join(_name(loader.release.languages[bit]) for bit in own.bits)
            yield f"languages of {name}", names if own.mixes else f"{names}: monolingual, whatever alpha is"
    yield "languages of cross-lingual batches", f"drawn for each {settings.pairs_of}"
    if settings.negatives:
        yield "hard negatives", f"{settings.negatives} of each example, where it has so many; language: {settings.negative_language}"
    for name, value in settings.model_dump(mode="json", exclude_defaults=True).items():
        yield f"setting {name}", str(value)


def _alpha_in_words(alpha: Alpha) -> str:
    if alpha.end is None or alpha.constant:
        return f"{alpha.start:g}"
    return f"{alpha.start:g} to {alpha.end:g} over {alpha.steps:,} steps ({alpha.schedule})"


def _tables(preview: Preview) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for heading, shares in headed(preview).items():
        yield heading, [{"name": name, **in_words(share)} for name, share in shares.items()]


def in_words(share: Share) -> dict[str, str]:
    """A share as it is printed: count, drawn and expected share, deviation in standard errors."""
    deviation = "" if share.deviation is None else f"{share.deviation:+.1f}"
    return {"drawn": f"{share.drawn:,}", "share": f"{share.share:.2%}", "expected": f"{share.expected:.2%}", "deviation": deviation}


def _examples(batch: Batch) -> Iterator[dict[str, Any]]:
    negatives = batch.negatives or [[] for _ in batch.queries]
    rows = zip(batch.queries, batch.query_languages, batch.passages, batch.passage_languages, negatives, strict=True)
    for query, query_code, passage, passage_code, others in rows:
        sides = [LANGUAGES.find(code) for code in (query_code, passage_code)]
        yield {"query": query, "query_language": sides[0], "passage": passage, "passage_language": sides[1], "negatives": others}


def _figures(preview: Preview) -> Iterator[go.Figure]:
    for heading, shares in headed(preview).items():
        if heading == PAIRS:
            yield _language_map(preview.pairs)
        else:
            names = [html.escape(name) for name in shares]  # a figure would take tags in it for its own
            drawn, expected = ([100 * getattr(share, what) for share in shares.values()] for what in ("share", "expected"))
            yield _bars(heading, names, drawn, expected, "%")
    for what, repeated in (("Pairs", preview.pair_repeats), ("Passages", preview.passage_repeats)):
        yield _bars(f"{what} by how many times they were drawn", _repeat_labels(repeated), repeated.drawn, repeated.expected, what.lower())
    if preview.schedule is not None:
        figure = pages.figure("Monolingual batches over the steps")
        figure.update_yaxes(title="%")
        for codes, line in preview.schedule.alphas.items():
            name = "alpha" if len(preview.schedule.alphas) == 1 else f"alpha of {', '.join(map(_name, codes))}"
            figure.add_scatter(x=preview.schedule.steps, y=[100 * value for value in line], name=name, mode="lines")
        for name, line, mode in (("expected", preview.schedule.expected, "lines"), ("drawn", preview.schedule.drawn, "markers")):
            figure.add_scatter(x=preview.schedule.steps, y=[100 * value for value in line], name=name, mode=mode, line_dash="dot")
        yield figure


def _bars(title: str, names: list[str], drawn: list[float], expected: list[float], unit: str) -> go.Figure:
    figure = pages.figure(title)
    figure.update_yaxes(title=unit)
    figure.update_xaxes(type="category")
    for label, values in (("expected", expected), ("drawn", drawn)):
        figure.add_bar(x=names, y=[round(value, 4) for value in values], name=label)
    return figure


def _language_map(pairs: Mapping[tuple[str, str], Share]) -> go.Figure:
    """Queries' languages down, passages' across; drawn share as colour, drawn and expected as label."""
    order = dict.fromkeys(code for side in (0, 1) for code in (pair[side] for pair in pairs))
    sides = [[code for code in order if code in {pair[side] for pair in pairs}] for side in (0, 1)]
    shares = [[pairs.get((query, passage)) for passage in sides[1]] for query in sides[0]]
    figure = pages.figure("Query and passage, cross-lingual: drawn / expected, %")
    figure.update_layout(height=max(280, 90 + 34 * len(sides[0])))
    figure.update_yaxes(title="query", autorange="reversed", automargin=True)
    figure.update_xaxes(title="passage", automargin=True)
    figure.add_heatmap(
        x=[_name(code) for code in sides[1]],
        y=[_name(code) for code in sides[0]],
        z=[[None if share is None else 100 * share.share for share in row] for row in shares],
        customdata=[["" if share is None else _hover_text(share) for share in row] for row in shares],
        text=[["" if share is None else f"{100 * share.share:.1f} / {100 * share.expected:.1f}" for share in row] for row in shares],
        texttemplate="%{text}" if max(map(len, sides)) <= _LABELLED else None,
        hovertemplate="%{y} → %{x}<br>%{customdata}<extra></extra>",
        colorscale="Blues",
        zmin=0,
    )
    return figure


def _hover_text(share: Share) -> str:
    words = in_words(share)
    return f"drawn {words['share']} ({words['drawn']}), expected {words['expected']}, deviation {words['deviation'] or '-'}"


def _repeat_labels(repeats: Repeats) -> list[str]:
    last = len(repeats.drawn) - 1
    return [*map(str, range(last)), f"{last} or more"]
