"""The configuration of the parachain host, and what its values may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.limits import (
    MAX_CODE_BYTES,
    MAX_HEAD_DATA_BYTES,
    MAX_PARATHREAD_CORES,
    MAX_POV_BYTES,
    MAX_WAITING_CLAIMS,
)


@dataclass(frozen=True, slots=True)
class HostConfiguration:
    """Parameters that governance may change, at session boundaries (A6, A9). Periods are in
    relay chain blocks, sizes in bytes. What each may be is in :data:`BOUNDS`."""

    validation_upgrade_frequency: BlockNumber
    """At least so many blocks between two code upgrades of a para."""
    validation_upgrade_delay: BlockNumber
    """From the relay parent of the block that announces new code to its activation."""
    acceptance_period: BlockNumber
    """For how long after availability a candidate may be checked and disputed."""
    max_code_size: U32
    max_head_data_size: U32
    parathread_cores: U32
    parathread_retries: U32
    parachain_rotation_frequency: BlockNumber
    """How often groups move on by one core; 0 is never."""
    chain_availability_period: BlockNumber
    """How long a parachain's candidate may be pending."""
    thread_availability_period: BlockNumber
    """The same for parathreads."""
    scheduling_lookahead: U32
    """How many claims per parathread core may wait."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the greatest value of a field, and what would be without them."""

    least: int
    greatest: int
    why: str


A_DAY: Final = 14_400
"""Blocks of six seconds."""

BOUNDS: Final[Mapping[str, Bounds]] = {
    "validation_upgrade_frequency": Bounds(
        1, 100 * A_DAY, "two codes of a para cannot be expected at one block"
    ),
    "validation_upgrade_delay": Bounds(
        2, 100 * A_DAY, "a block is included two blocks after its relay parent, or later"
    ),
    "acceptance_period": Bounds(
        1, A_DAY, "candidates, old code, sessions and their accounts are kept for so long"
    ),
    "max_code_size": Bounds(1, MAX_CODE_BYTES, "code travels in blocks and statements"),
    "max_head_data_size": Bounds(1, MAX_HEAD_DATA_BYTES, "heads travel in blocks and statements"),
    "parathread_cores": Bounds(0, MAX_PARATHREAD_CORES, "each block goes through all cores"),
    "parathread_retries": Bounds(0, 100, "a dead claim holds its thread for so many blocks"),
    "parachain_rotation_frequency": Bounds(
        0, 1000, "a candidate times out after a rotation only, and keeps its core until then"
    ),
    "chain_availability_period": Bounds(1, 100, "a candidate may keep its core for so long"),
    "thread_availability_period": Bounds(1, 100, "a candidate may keep its core for so long"),
    "scheduling_lookahead": Bounds(1, MAX_WAITING_CLAIMS, "each block goes through all claims"),
}
"""What each value may be. What several may be together is in :func:`breach`."""
POV_SIZE_BOUNDS: Final = Bounds(1, MAX_POV_BYTES, "a proof of validity is one answer to a request")
"""What ``max_pov_size`` may be, which the genesis of a chain decides."""


@dataclass(frozen=True, slots=True)
class OutOfBounds:
    """One value is too small or too great."""

    field: str
    value: int
    bounds: Bounds

    def __str__(self) -> str:
        least, greatest = self.bounds.least, self.bounds.greatest
        return f"{self.field} is {self.value}, not {least} to {greatest}: {self.bounds.why}"


@dataclass(frozen=True, slots=True)
class TooManyClaims:
    """Cores for parathreads times claims that may wait for each."""

    parathread_cores: int
    scheduling_lookahead: int

    def __str__(self) -> str:
        return (
            f"{self.parathread_cores} parathread_cores with a scheduling_lookahead of "
            f"{self.scheduling_lookahead} let more than {MAX_WAITING_CLAIMS} claims wait"
        )


@dataclass(frozen=True, slots=True)
class DelayTooShort:
    """New code could be expected before the candidate that announces it is included or given
    up."""

    validation_upgrade_delay: int
    longest_availability_period: int

    def __str__(self) -> str:
        return (
            f"validation_upgrade_delay is {self.validation_upgrade_delay}, not longer than an "
            f"availability period, {self.longest_availability_period}: new code could be expected "
            "before it is known"
        )


Breach = OutOfBounds | TooManyClaims | DelayTooShort


def breach(config: HostConfiguration) -> Breach | None:
    """The first bound that the configuration breaks, of its values one by one or together."""
    for field in fields(config):
        value, bounds = getattr(config, field.name), BOUNDS[field.name]
        if not bounds.least <= value <= bounds.greatest:
            return OutOfBounds(field.name, value, bounds)
    if config.parathread_cores * config.scheduling_lookahead > MAX_WAITING_CLAIMS:
        return TooManyClaims(config.parathread_cores, config.scheduling_lookahead)
    longest = max(config.chain_availability_period, config.thread_availability_period)
    if config.validation_upgrade_delay <= longest:
        return DelayTooShort(config.validation_upgrade_delay, longest)
    return None


def pov_size_breach(max_pov_size: int) -> OutOfBounds | None:
    """The bound that a chain's ``max_pov_size`` breaks."""
    if POV_SIZE_BOUNDS.least <= max_pov_size <= POV_SIZE_BOUNDS.greatest:
        return None
    return OutOfBounds("max_pov_size", max_pov_size, POV_SIZE_BOUNDS)


assert set(BOUNDS) == {field.name for field in fields(HostConfiguration)}
