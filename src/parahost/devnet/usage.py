"""What processes use, as Linux tells it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Peak resident memory in MB (2**20 bytes), CPU time in seconds."""

    peak_rss_mb: float = 0.0
    cpu_s: float = 0.0


def usage_of(pid: int) -> ProcessUsage | None:
    """One process; ``None`` when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    peak_kb = next(
        (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0
    )
    numbers = stat.rpartition(")")[2].split()
    return ProcessUsage(peak_kb / 1024, (int(numbers[11]) + int(numbers[12])) / _TICKS_PER_S)


def children_of(pid: int) -> list[int]:
    """The processes that it started itself and that run now."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]
