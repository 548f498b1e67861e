"""A parachain's block production, as the node sees it (A96).

The node knows nothing of what a parachain is about: it says when a block may be built and on what,
and brings the result to the validators. ``parahost.parachains.Collator`` is what authors derive
from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parahost.primitives.basic import (
    H256,
    BlockNumber,
    Hash,
    HeadData,
    ValidationCode,
    ValidationCodeHash,
)
from parahost.primitives.runtime_api import PlannedUpgrade


@dataclass(frozen=True, slots=True)
class BuildContext:
    """On what a parachain block is to be built, beside its parent's head.

    ``max_pov_size`` is in bytes, of the block data with their length before them. What is not
    ready by ``time_limit_s`` seconds from now is of no use. ``validation_code_hash`` is BLAKE2b-256
    of the code that judges this block. From ``new_code_allowed_from`` on, as the relay parent's
    number, the relay chain accepts a block with new code. ``new_code_expected_at`` is the relay
    parent on which code that this block asks for will be expected, by the delay as it is configured
    now; ``planned_upgrade`` is code that was asked for before and does not judge this block yet.
    """

    relay_parent: Hash
    relay_parent_number: BlockNumber
    relay_parent_storage_root: H256
    max_pov_size: int
    time_limit_s: float
    validation_code_hash: ValidationCodeHash
    new_code_allowed_from: BlockNumber
    new_code_expected_at: BlockNumber
    planned_upgrade: PlannedUpgrade | None


@dataclass(frozen=True, slots=True)
class ParachainBlock:
    """A block for validators to judge.

    ``block_data`` is what the validation function is given to judge it by, ``head`` the new head
    that the function will return. ``new_code`` asks for another validation function. A function
    that returns another ``hrmp_watermark`` than the relay parent's number says so here.

    :raises TypeError: when a field has another type.
    :raises ValueError: when ``hrmp_watermark`` is no block number.
    """

    block_data: bytes
    head: HeadData
    new_code: ValidationCode | None = None
    hrmp_watermark: BlockNumber | None = None

    def __post_init__(self) -> None:
        """Here, so that the author's traceback leads to where the block was made."""
        _check_type("block_data", self.block_data, bytes)
        _check_type("head", self.head, bytes)
        if self.new_code is not None:
            _check_type("new_code", self.new_code, bytes)
        if self.hrmp_watermark is not None:
            _check_type("hrmp_watermark", self.hrmp_watermark, int)
            if not 0 <= self.hrmp_watermark < 1 << 32:
                raise ValueError(f"hrmp_watermark: {self.hrmp_watermark} is not 0 to 2^32-1")


def _check_type(name: str, value: object, expected: type) -> None:
    if type(value) is not expected:
        raise TypeError(f"{name}: {type(value).__name__}, not {expected.__name__}")


class Collator(Protocol):
    """Makes one parachain's blocks. The node calls from tasks of its own; only ``build`` may
    wait."""

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        """A block on that head, or ``None`` for none now. The same head may be asked for again,
        as may heads of several forks: nothing built counts before it is included. Cancelled when
        the relay parent is outdated or the time is over."""
        ...

    def on_included(self, head: HeadData) -> None:
        """The newest relay block has this as the para's head. Called when it changes; it may go
        back, when the relay chain reorganises."""
        ...

    def on_finalized(self, head: HeadData) -> None:
        """The final relay block has this as the para's head: nothing before it comes back."""
        ...
