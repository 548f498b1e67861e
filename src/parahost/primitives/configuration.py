"""The configuration of the parachain host."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import U32, BlockNumber


@dataclass(frozen=True, slots=True)
class HostConfiguration:
    """Parameters that governance may change, at session boundaries (A6, A9). Periods are in
    relay chain blocks, sizes in bytes."""

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
    """How long a parachain's candidate may be pending; at least 1."""
    thread_availability_period: BlockNumber
    """The same for parathreads; at least 1."""
    scheduling_lookahead: U32
    """How many claims per parathread core may wait."""
