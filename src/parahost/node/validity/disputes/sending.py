"""Bringing one thing to all validators, until each has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import trio

from parahost.metrics.metric import Counter
from parahost.node.messages.network import ResolveValidators, SendRequest
from parahost.node.overseer import Context
from parahost.node.protocols import DISPUTE_REQUEST
from parahost.node.validity.disputes.wire import DisputeAnswer
from parahost.ports import RequestFailed
from parahost.primitives.basic import PeerId, ValidatorId
from parahost.primitives.scale import ScaleDecodeError, decode

SENT = Counter(
    "polkadot_parachain_dispute_distribution_sent_requests",
    "Requests to take dispute votes, by whether there was an answer.",
    ("success",),
    (("succeeded",), ("failed",)),
)

AT_ONCE: Final = 64
"""Requests under way at a time, of all deliveries. To one peer there is one."""
AGAIN_S: Final = 1.0
MAX_AGAIN_S: Final = 30.0
"""Who does not have it yet is asked again after so long, twice as long each time."""


class Sender:
    """What all deliveries share."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._turns = trio.CapacityLimiter(AT_ONCE)
        self._busy: dict[PeerId, None] = {}

    async def send(self, peer: PeerId, payload: bytes) -> DisputeAnswer | None:
        """Ask a peer to take it; ``None`` when it gives no answer, or is being asked something else
        already."""
        async with self._turns:
            if peer in self._busy:
                return None
            self._busy[peer] = None
            try:
                answer = await self.ctx.ask(SendRequest(peer, DISPUTE_REQUEST, payload))
            finally:
                del self._busy[peer]
        has_failed = isinstance(answer, RequestFailed)
        self.ctx.meter.count(SENT, "failed" if has_failed else "succeeded")
        if isinstance(answer, RequestFailed):
            return None
        try:
            found: DisputeAnswer = decode(DisputeAnswer, answer)
        except ScaleDecodeError:
            return None
        return found


@dataclass(slots=True)
class VoteDelivery:
    """One request on its way. ``validators`` gives all who are to have it, as it is now."""

    sender: Sender
    payload: bytes
    validators: Callable[[], Iterable[ValidatorId]]
    done: dict[ValidatorId, None] = field(default_factory=dict)
    """Those who have it, or refuse it for ever."""

    async def run(self) -> None:
        """Until all have it. The scope in which it runs ends with the session."""
        clock, wait = self.sender.ctx.clock, AGAIN_S
        while missing := self._missing():
            before = len(self.done)
            peers = await self.sender.ctx.ask(ResolveValidators(missing))
            async with trio.open_nursery() as nursery:
                for validator, peer in peers.items():
                    nursery.start_soon(self._bring, validator, peer)
            if not self._missing():
                return
            wait = AGAIN_S if len(self.done) > before else min(2 * wait, MAX_AGAIN_S)
            await clock.sleep(wait)

    def _missing(self) -> tuple[ValidatorId, ...]:
        wanted = dict.fromkeys(self.validators())
        return tuple(validator for validator in wanted if validator not in self.done)

    async def _bring(self, validator: ValidatorId, peer: PeerId) -> None:
        answer = await self.sender.send(peer, self.payload)
        if answer in (DisputeAnswer.TAKEN, DisputeAnswer.REFUSED):
            self.done[validator] = None
