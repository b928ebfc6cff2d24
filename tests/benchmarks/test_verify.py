from __future__ import annotations

from benchmarks.edits import EDITS
from tests.benchmarks.running import figures_of


def test_every_edit_is_found_and_so_are_those_that_contradict_the_rows() -> None:
    figures = figures_of("verify", "--edits", str(len(EDITS)), "--seed", "7", "--articles", "24", "--pairs", "1000")
    assert figures.keys() == {"in_all", "by_kind", "over_sha256", "peak_mb"}
    in_all, by_kind = figures["in_all"], figures["by_kind"]
    assert by_kind.keys() == EDITS.keys()
    assert in_all["tried"] == in_all["files"] == len(EDITS)
    # What follows from the rows is found though every checksum fits.
    recomputed = {"reason", "language bit", "id", "shard removed", "shard doubled", "shard reordered"}
    assert all(by_kind[kind]["everything"] == by_kind[kind]["tried"] == 1 for kind in recomputed)
    assert all(by_kind[kind]["rows"] == 1 for kind in ("licence", "version", "model", "setting", "count"))
    assert in_all["everything"] <= in_all["rows"] < in_all["files"]
    assert figures["over_sha256"] > 1
    assert 100 < figures["peak_mb"] < 1000
