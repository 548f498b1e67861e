"""A parachain's block production, as the node sees it (A96).

The node knows nothing of what a parachain is about: it says when a block may be built and on what,
and brings the result to the validators. ``parahost.parachains.Collator`` is what authors derive
from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parahost.primitives.basic import H256, BlockNumber, Hash, HeadData, ValidationCode


@dataclass(frozen=True, slots=True)
class BuildContext:
    """On what a parachain block is to be built, beside its parent's head.

    ``max_pov_size`` is in bytes, of the block data with their length before them. What is not
    ready by ``time_limit_s`` seconds from now is of no use.
    """

    relay_parent: Hash
    relay_parent_number: BlockNumber
    relay_parent_storage_root: H256
    max_pov_size: int
    time_limit_s: float


@dataclass(frozen=True, slots=True)
class ParachainBlock:
    """A block for validators to judge.

    ``block_data`` is what the validation function is given to judge it by, ``head`` the new head
    that the function will return. ``new_code`` asks for another validation function. A function
    that returns another ``hrmp_watermark`` than the relay parent's number says so here.
    """

    block_data: bytes
    head: HeadData
    new_code: ValidationCode | None = None
    hrmp_watermark: BlockNumber | None = None


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
