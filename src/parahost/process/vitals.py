"""What the system says of a node's process, by the names that Prometheus' clients have for it."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from parahost import __version__
from parahost.metrics.metric import Counter, Gauge, Metric, Reading

BUILD = Gauge("substrate_build_info", "1; its labels say what runs.", ("name", "version"))
STARTED = Gauge(
    "substrate_process_start_time_seconds", "When the node started, since the Unix epoch."
)
CPU = Counter("process_cpu_seconds_total", "CPU time of the node, without its workers.")
WORKERS_CPU = Counter("parahost_workers_cpu_seconds_total", "CPU time of workers that have ended.")
RESIDENT = Gauge("process_resident_memory_bytes", "The node's memory, without its workers.")
OPEN_FILES = Gauge("process_open_fds", "Open files and connections.")
MOST_OPEN_FILES = Gauge("process_max_fds", "How many may be open.")

PROCESS_METRICS: Final[tuple[Metric, ...]] = (
    BUILD,
    STARTED,
    CPU,
    WORKERS_CPU,
    RESIDENT,
    OPEN_FILES,
    MOST_OPEN_FILES,
)

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")


def vitals(name: str, started_at: float) -> Callable[[], Iterator[Reading]]:
    """A source for the meter of the node of that name, which started then."""

    def readings() -> Iterator[Reading]:
        yield BUILD.of(1, name, __version__)
        yield STARTED.of(int(started_at))
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        yield CPU.of(own.ru_utime + own.ru_stime)
        yield WORKERS_CPU.of(ended.ru_utime + ended.ru_stime)
        yield RESIDENT.of(int(_MEMORY.read_text().split()[1]) * _PAGE)
        yield OPEN_FILES.of(sum(1 for _ in _FILES.iterdir()))
        yield MOST_OPEN_FILES.of(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    return readings
