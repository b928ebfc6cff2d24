"""How many cores this process may use: not those of the machine, where somebody gave it fewer."""

from __future__ import annotations

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def available_cores(groups: Path = _GROUPS) -> int:
    """Cores that the process is allowed to run on, and that the quota of its control group pays for; at least one.

    `groups` is where the system shows control groups: a container sees its own there.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota(groups) or allowed))


def _quota(groups: Path) -> int | None:
    """Cores that the quota of the control group is worth, part of one counted as one; None where there is no quota.

    See kernel.org/doc/html/latest/admin-guide/cgroup-v2.html, `cpu.max`, and for the first version `cpu.cfs_quota_us`.
    """
    try:
        quota, period = (groups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((groups / "cpu" / name).read_text().strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        except OSError:
            return None
    try:
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": no quota
        return None
