"""What processes use, as Linux tells it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Peak resident memory in MB (2**20 bytes), CPU time in seconds."""

    peak_rss_mb: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, later: ProcessUsage) -> ProcessUsage:
        """That of two processes of which one came after the other."""
        return ProcessUsage(max(self.peak_rss_mb, later.peak_rss_mb), self.cpu_s + later.cpu_s)


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


def started_at() -> float:
    """When this process began, before Python did, in seconds since the Unix epoch."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS_PER_S
    return time.time() - age_s


def children_of(pid: int) -> list[int]:
    """The processes that it started itself and that run now."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]
