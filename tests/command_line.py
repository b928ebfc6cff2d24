"""The command `parallel-qa` in processes of its own, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CommandLine:
    """A user without settings of their own, whose home is an empty folder."""

    home: Path
    server: str | None = None
    """Address of a Prefect server; without one, Prefect starts its own on SQLite for each command."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        own = {"HOME": str(self.home), "PREFECT_HOME": str(self.home / "prefect"), "PARALLEL_QA_CACHE": str(self.home / "cache")}
        return {**kept, **own, **({"PREFECT_API_URL": self.server} if self.server else {}), "COLUMNS": "120"}

    def command(self, *arguments: object) -> list[str]:
        return [str(Path(sys.executable).with_name("parallel-qa")), *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=300)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a command as the leader of a group of processes, so that it can be killed with all that it starts."""
        return subprocess.Popen(self.command(*arguments), env=self.environment, stdout=subprocess.DEVNULL, start_new_session=True)
