from __future__ import annotations

import pytest

from parallel_qa.flows.cli.estimates import print_estimate
from parallel_qa.pipeline.planning.estimate import estimate
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.settings import HOUSE, load_settings
from parallel_qa.pipeline.store import Store
from tests.project import Project

SIZE = {"queries": 2_000, "passages": 1_000, "pairs": 2_000, "sentences": 7_000}


def test_the_sums_are_printed_and_what_is_unknown(project: Project, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    project.source("questions", [], size=SIZE)
    project.source("silent", [])
    settings = project.settings(sources=["./questions.md", "./silent.md"], languages=["de"])
    print_estimate(estimate(Plan(settings, store), tokens_per_second=100))
    table, sums = capsys.readouterr().out.split("\nstore")
    steps = [line.split()[0] for line in table.splitlines() if "│" in line]
    assert steps == ["prepare", "segment", "find", "translate", "filter", "compare", "publish"]
    tokens = 2 * (2_000 * 61 + 5_000 * 156) / 4.2
    assert f"tokens     {tokens:,.0f} to write at most, both ways" in sums
    assert f"model      {tokens / 100 / 3600:.1f} h at 100 tokens/s (given)" in sums
    assert sums.endswith("unknown until prepared: silent. A `size` in the card would tell; all else is without them.\n")


@pytest.mark.parametrize(("times", "option"), [(1, ""), (10, " --times 10")])
def test_the_page_shows_what_the_command_prints(times: int, option: str, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    print_estimate(estimate(Plan(load_settings("paper"), store), times=times))
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = "\n".join(["```", f"$ parallel-qa plan paper --store new-store{option}", *printed, "```"])
    assert shown in (HOUSE / "docs/scale.md").read_text(encoding="utf-8")
