from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from parallel_qa.flows.display import current_progress, progress_bars
from parallel_qa.pipeline.progress import LogProgress


def test_a_finished_unit_is_one_log_line_with_its_rate(caplog: pytest.LogCaptureFixture) -> None:
    progress = LogProgress()
    with caplog.at_level(logging.INFO, "parallel_qa"):
        progress.start("deu_Latn/a/00000", 3, "sentences")
        progress.advance("deu_Latn/a/00000", 1, 10)
        progress.advance("deu_Latn/a/00000", 2, 20)
        assert caplog.messages == []
        progress.finish("deu_Latn/a/00000")
    (line,) = caplog.messages
    assert line.startswith("deu_Latn/a/00000: 3 sentences in ")
    assert line.endswith(" tokens/s")


def test_a_terminal_shows_bars_and_a_file_does_not() -> None:
    before = current_progress()
    with progress_bars(Console(file=io.StringIO())):
        assert current_progress() is before
    screen = io.StringIO()
    with progress_bars(Console(file=screen, force_terminal=True, width=120)):
        assert current_progress() is not before
        progress = current_progress()
        progress.start("deu_Latn/a/00000", 3, "sentences")
        progress.advance("deu_Latn/a/00000", 2, 20)
        progress.finish("deu_Latn/a/00000")
    assert current_progress() is before
    assert "deu_Latn/a/00000" in screen.getvalue()
