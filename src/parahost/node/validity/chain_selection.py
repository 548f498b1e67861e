"""Chain Selection: forks with invalid candidates are left, and come back when a dispute turns.

The fork choice itself is the chain's, so that author, sync, pool and finality see one best block.
This subsystem hears what disputes come to, and has the chain consider its forks again. What is
final is never reverted (D27): then the paras freeze, and the operator is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from parahost.node.messages.base import Message
from parahost.node.messages.signals import BlockFinalized, OverseerSignal
from parahost.node.messages.validity import DisputeMoved
from parahost.node.overseer import Subsystem
from parahost.node.validity.viability import Viability
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Header
from parahost.runtime.storage import State

log = logging.getLogger(__name__)


class FinalChain(Protocol):
    """What Chain Selection reads of the chain."""

    @property
    def finalized(self) -> Header:
        """The last final block."""
        ...

    @property
    def finalized_hash(self) -> Hash: ...

    def state(self, block: Hash, /) -> State:
        """The state after a block."""
        ...


class ChainSelection(Subsystem):
    """Leaves forks, takes them up again, and raises the alarm."""

    name = "chain-selection"
    receives = (DisputeMoved,)

    def __init__(
        self, viability: Viability, chain: FinalChain, reconsider: Callable[[], None]
    ) -> None:
        """``reconsider`` asks of all forks anew whether they are to be left."""
        self._viability = viability
        self._chain = chain
        self._reconsider = reconsider
        self._alarmed: BlockNumber | None = None
        """The first block of which it has been said that an invalid candidate in it is final."""

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, BlockFinalized):
            self._look_at_finality()

    # Handlers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, DisputeMoved)
        key = message.session, message.candidate
        if self._viability.note(key, towards_invalid=message.towards_invalid):
            self._reconsider()
            self._look_at_finality()

    # Routines

    def _look_at_finality(self) -> None:
        """Raise the alarm, once, when what is final includes an invalid candidate."""
        number = self._viability.first_unviable(self._chain.state(self._chain.finalized_hash))
        if number is None or number == self._alarmed:
            return
        self._alarmed = number
        self.ctx.journal.record("chain.invalid_is_final", number=number)
        log.error(
            "block %d is final and includes a candidate that is invalid, or may be: nothing is "
            "reverted, paras freeze when a supermajority says so, and governance has to decide",
            number,
        )
