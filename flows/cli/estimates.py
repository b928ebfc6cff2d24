"""How the estimate of a run is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Column, Table

from parallel_qa.flows.cli.console import out, print_line

if TYPE_CHECKING:
    from parallel_qa.pipeline.planning.estimate import Estimate, StepEstimate

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def print_estimate(estimate: Estimate) -> None:
    """Print the steps of a run with what each will take, and the sums."""
    numbers = ("to do", "units", "files", "bytes", "tokens", "time")
    table = Table(Column("step", no_wrap=True), *(Column(name, justify="right", no_wrap=True) for name in numbers), show_edge=False)
    for step in estimate.steps:
        table.add_row(*_cells(step))
    table.add_row("publish", "", "", f"{estimate.release.files:,}", _size(estimate.release.bytes), "", _time(estimate.publish_hours))
    out.print(table)
    store, rate = estimate.store, estimate.rate
    print_line("")
    print_line(f"store      {store.units:,} units, {store.to_do:,} to do; {store.files:,} files, {_size(store.bytes)}")
    print_line(f"release    {estimate.release.files:,} files, {_size(estimate.release.bytes)}, if nothing is rejected")
    print_line(f"cache      {_size(estimate.cache_bytes)} on a machine that trains, with all languages")
    print_line(f"disk       {_size(estimate.disk_bytes)}: store, release, and {_size(estimate.scratch_bytes)} of scratch files")
    print_line(f"tokens     {store.tokens:,.0f} to write at most, both ways")
    print_line(f"model      {_time(estimate.gpu_hours)} at {rate.tokens_per_second:,.0f} tokens/s ({rate.origin})")
    print_line(f"filters    {_time(estimate.filter_hours)} of one core")
    if estimate.unknown:
        print_line(f"unknown until prepared: {', '.join(estimate.unknown)}. A `size` in the card would tell; all else is without them.")


def _cells(step: StepEstimate) -> tuple[str, ...]:
    load = step.load
    counts = (f"{count:,}" for count in (load.to_do, load.units, load.files))
    return (step.name, *counts, _size(load.bytes), _tokens(load.tokens), _time(step.hours))


def _tokens(count: float) -> str:
    if not count:
        return ""
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count:,.0f}"


def _size(count: float) -> str:
    """Bytes in the unit that leaves the fewest digits: 1.4 GB."""
    for size in _SIZES:
        if count < 1000 or size == _SIZES[-1]:
            break
        count /= 1000
    return f"{count:.0f} {size}" if size == "B" or count >= 100 else f"{count:.1f} {size}"


def _time(hours: float | None) -> str:
    if hours is None:
        return ""
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * 3600:.0f} s"
