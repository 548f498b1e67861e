"""Whether a chain holds under attack, judged against its own calm.

Nothing is judged by time alone: a busy machine makes fewer blocks in a calm phase too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENOUGH = 0.9
"""Of the blocks and parablocks that come in calm."""
AT_THE_EDGES = 1
"""Blocks that a phase may lack because it ends between two."""
MOST_UNFINAL = 4
"""Blocks that the slowest validator may be behind in finality."""
MEMORY = 1.3
"""Of the peak in calm."""
MUST_BE_IDLE = 0.5
"""Of the machine in calm: the devnet needs a fifth of two processors, and attackers run beside it.
On a machine with less room, blocks that are lost say nothing about the chain."""
MOST_FOREIGN = 0.2
"""Of the machine, under attack: where others than devnet and attackers take more, they do not
either."""


@dataclass(frozen=True)
class Phase:
    """Some slots of a devnet's life.

    ``unfinal``: how far the slowest validator's finality is behind at the end. ``peak_mb``: the
    largest memory of a process. ``idle``: the part of the machine's processors that nobody used.
    ``foreign``: the part that others used than the devnet and the attackers. ``troubles``: what
    must never happen. ``tallies``: how each attack fared, by its name."""

    slots: float
    blocks: int
    parablocks: int
    unfinal: int
    peak_mb: float
    idle: float = 1.0
    foreign: float = 0.0
    troubles: Sequence[str] = ()
    tallies: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Calm:
    """What is to be expected. ``peak_mb`` is that of the newest phase: before the attack."""

    blocks_per_slot: float
    parablocks_per_slot: float
    peak_mb: float
    idle: float

    @classmethod
    def of(cls, phases: Sequence[Phase]) -> Calm:
        slots = sum(phase.slots for phase in phases)
        return cls(
            min(1.0, sum(phase.blocks for phase in phases) / slots),
            min(1.0, sum(phase.parablocks for phase in phases) / slots),
            phases[-1].peak_mb,
            min(phase.idle for phase in phases[-2:]),
        )


def had_room(calm: Calm, attacked: Phase) -> bool:
    """Whether chain and attackers had enough of the machine to judge what is lost."""
    return calm.idle >= MUST_BE_IDLE and attacked.foreign <= MOST_FOREIGN


def lost(calm: Calm, attacked: Phase, must_end: Collection[str] = ()) -> list[str]:
    """What the chain lacks: a machine that stood still may be the cause. ``must_end``: attacks of
    which connections must have been ended by the nodes."""
    found = []
    for what, made, per_slot in (
        ("blocks", attacked.blocks, calm.blocks_per_slot),
        ("parablocks", attacked.parablocks, calm.parablocks_per_slot),
    ):
        expected = attacked.slots * per_slot
        if made < ENOUGH * expected - AT_THE_EDGES:
            found.append(f"{made} {what} where {expected:.1f} come in calm")
    if attacked.unfinal > MOST_UNFINAL:
        found.append(f"finality is {attacked.unfinal} blocks behind")
    for name, tally in (attacked.tallies or {}).items():
        if name in must_end and not tally["ended"]:
            found.append(f"{name} was never disconnected: {dict(tally)}")
    return found


def broken(calm: Calm, attacked: Phase) -> list[str]:
    """What no machine excuses."""
    found = list(attacked.troubles)
    if attacked.peak_mb > MEMORY * calm.peak_mb:
        found.append(f"{attacked.peak_mb:.0f} MB where {calm.peak_mb:.0f} MB are held in calm")
    return found
