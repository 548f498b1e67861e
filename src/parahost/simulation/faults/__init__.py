"""Faults: what goes wrong without anybody's ill will. Each is a small class; a scenario lists
some, with who, when and for how long."""

from collections.abc import Mapping

from parahost.simulation.faults.crashes import Crash, CrashAtStep, CrashAtWrite
from parahost.simulation.faults.fault import Fault, Moment, World, at, at_block
from parahost.simulation.faults.inside import BadWorkers, TinyQueues
from parahost.simulation.faults.links import BadLinks, Partition, Stall
from parahost.simulation.faults.machines import DamagedRows, FullDisk, WrongClock

KINDS: Mapping[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        Partition,
        Stall,
        BadLinks,
        Crash,
        CrashAtStep,
        CrashAtWrite,
        FullDisk,
        DamagedRows,
        WrongClock,
        BadWorkers,
        TinyQueues,
    )
}
"""All faults by their names in TOML."""

__all__ = [
    "KINDS",
    "BadLinks",
    "BadWorkers",
    "Crash",
    "CrashAtStep",
    "CrashAtWrite",
    "DamagedRows",
    "Fault",
    "FullDisk",
    "Moment",
    "Partition",
    "Stall",
    "TinyQueues",
    "World",
    "WrongClock",
    "at",
    "at_block",
]
