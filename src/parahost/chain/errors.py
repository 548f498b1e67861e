"""Why a block is not taken, or a question about the chain has no answer.

That a block breaks a rule is ``parahost.runtime.errors.InvalidBlock``. What stands here says
nothing against a block: it may be taken at another time, or on another node.
"""

from __future__ import annotations

from parahost.ports import DatabaseDamaged, DatabaseError
from parahost.primitives.basic import BlockNumber, Hash, Slot
from parahost.primitives.errors import InputError
from parahost.runtime.errors import InvalidBlock


class ImportRefused(Exception):
    """The block cannot be imported here and now."""


class UnknownParent(ImportRefused):
    """The parent is not in the block tree: it must be imported first."""

    def __init__(self, hash: Hash, parent_hash: Hash) -> None:
        super().__init__(f"the parent {parent_hash.hex()} of block {hash.hex()} is not known")
        self.hash = hash
        self.parent_hash = parent_hash


class BelowFinality(ImportRefused):
    """The block is on a fork that the final chain has left behind."""

    def __init__(self, hash: Hash, number: BlockNumber, final_number: BlockNumber) -> None:
        super().__init__(
            f"block {hash.hex()} at {number} does not follow the final block at {final_number}"
        )
        self.hash = hash
        self.number = number
        self.final_number = final_number


class FutureSlot(ImportRefused):
    """The block's slot has not come by our clock; it may be imported later."""

    def __init__(self, hash: Hash, slot: Slot, now: Slot) -> None:
        super().__init__(f"block {hash.hex()} is of slot {slot}, our clock is in slot {now}")
        self.hash = hash
        self.slot = slot
        self.now = now


class KnownBad(InvalidBlock):
    """The block was found invalid before."""

    def __init__(self, hash: Hash) -> None:
        super().__init__(f"block {hash.hex()} was found invalid before")
        self.hash = hash


class UnknownBlock(LookupError):
    """There is no such block in the database or in the block tree."""

    def __init__(self, hash: Hash) -> None:
        super().__init__(f"block {hash.hex()} is not known")
        self.hash = hash


class StateUnavailable(LookupError):
    """The block is known, the state after it is no longer kept."""

    def __init__(self, hash: Hash, number: BlockNumber) -> None:
        super().__init__(
            f"the state after block {hash.hex()} at {number} is no longer kept; "
            "an archive node keeps all states"
        )
        self.hash = hash
        self.number = number


class ForeignDatabase(DatabaseError, InputError):
    """The database holds another chain."""

    def __init__(self, expected: Hash, found: Hash) -> None:
        super().__init__(
            f"the database holds the chain with genesis {found.hex()}, not {expected.hex()}: "
            "use another base path, or the chain spec that this one was made with"
        )
        self.expected = expected
        self.found = found


class DamagedDatabase(DatabaseDamaged):
    """The chain's tables contradict themselves."""

    def __init__(self, what: str) -> None:
        super().__init__("of the chain", what)
