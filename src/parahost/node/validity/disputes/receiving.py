"""How much of what peers bring is looked at, and what it costs them.

Whoever brings more than it may is told to come again; so honest votes are late at worst, and never
lost. What waits is taken in batches, and each batch is one write.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from parahost.node.gossip import BENEFIT_NEW
from parahost.node.messages.base import Reply
from parahost.node.messages.network import ReputationChange
from parahost.node.validity.disputes.effects import VotesVerdict
from parahost.node.validity.disputes.wire import DisputeAnswer, DisputeRequest
from parahost.ports import Clock
from parahost.primitives.basic import PeerId
from parahost.token_bucket import TokenBucket

IMPORTED_AT_ONCE: Final = 32
"""Requests that are taken with one write."""
MAX_WAITING: Final = 512
"""Requests that wait, in all. One has up to 64 KiB."""
MAX_WAITING_OF_PEER: Final = 8
VALIDATORS_BURST: Final = 64
VALIDATORS_RATE: Final = 8
"""Requests of one validator's peer: at once after a rest, and from then on each second."""
OTHERS_BURST: Final = 32
OTHERS_RATE: Final = 4
"""Of all other peers together: strangers, and validators whose records have not come."""
MAX_PEERS: Final = 2048
"""Peers of which it is known how much they have brought: two for each validator."""

COST_PUSHY = ReputationChange(-5, "dispute votes faster than they are taken")
COST_LIE = ReputationChange(-200, "dispute votes that are none")
COST_UNKNOWN_SESSION = ReputationChange(-5, "dispute votes of a session that is not judged here")
COST_SPAM = ReputationChange(-5, "votes of somebody who disputes more than it may")
COST_NOT_ASKED = ReputationChange(-5, "holders of a candidate that nobody asks about")

_TAKEN, _LATER, _REFUSED = DisputeAnswer.TAKEN, DisputeAnswer.LATER, DisputeAnswer.REFUSED

OUTCOMES: Final[dict[VotesVerdict, tuple[DisputeAnswer, ReputationChange | None]]] = {
    VotesVerdict.NEW: (_TAKEN, BENEFIT_NEW),
    VotesVerdict.KNOWN: (_TAKEN, None),
    VotesVerdict.UNKNOWN_SESSION: (_LATER, COST_UNKNOWN_SESSION),
    VotesVerdict.TOO_MANY: (_LATER, COST_SPAM),
    VotesVerdict.NOT_ASKED: (_LATER, COST_NOT_ASKED),
    VotesVerdict.MISNAMED: (_REFUSED, COST_LIE),
    VotesVerdict.ONE_SIDED: (_REFUSED, COST_LIE),
    VotesVerdict.REPEATED: (_REFUSED, COST_LIE),
    VotesVerdict.NO_VALIDATOR: (_REFUSED, COST_LIE),
    VotesVerdict.BAD_FORM: (_REFUSED, COST_LIE),
    VotesVerdict.BAD_SIGNATURE: (_REFUSED, COST_LIE),
}
"""What each verdict means to who has brought it. Nobody honest brings a lie; but honest peers may
be ahead of us, and may know of a fork that makes a dispute worth more than it seems here. So what
is not taken now costs little: who asks again as it is told to loses no more than time gives back;
who floods is banned."""


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that may be looked at."""

    peer: PeerId
    request: DisputeRequest
    reply: Reply[bytes | None]


class Receiving:
    """What waits, by peer. The peers have their turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: OrderedDict[PeerId, deque[WaitingRequest]] = OrderedDict()
        self._count = 0
        self._budgets: OrderedDict[PeerId, TokenBucket] = OrderedDict()
        self._others = TokenBucket(clock, OTHERS_RATE, OTHERS_BURST)

    def __len__(self) -> int:
        return self._count

    def may_bring(self, peer: PeerId, validators: Collection[PeerId]) -> bool:
        """Whether the peer has anything left of what it may bring; it is charged one request."""
        budget = self._budget(peer) if peer in validators else self._others
        return bool(budget.take_up_to(1, least=1))

    def _budget(self, peer: PeerId) -> TokenBucket:
        if peer not in self._budgets:
            self._budgets[peer] = TokenBucket(self._clock, VALIDATORS_RATE, VALIDATORS_BURST)
            if len(self._budgets) > MAX_PEERS:
                self._budgets.popitem(last=False)
        self._budgets.move_to_end(peer)
        return self._budgets[peer]

    def add(self, waiting: WaitingRequest) -> bool:
        """Whether there is room for it."""
        queue = self._queues.get(waiting.peer, ())
        if self._count >= MAX_WAITING or len(queue) >= MAX_WAITING_OF_PEER:
            return False
        self._queues.setdefault(waiting.peer, deque()).append(waiting)
        self._count += 1
        return True

    def take_batch(self) -> list[WaitingRequest]:
        """The next ones, of as many peers as may be."""
        batch: list[WaitingRequest] = []
        while self._queues and len(batch) < IMPORTED_AT_ONCE:
            peer, queue = self._queues.popitem(last=False)
            batch.append(queue.popleft())
            if queue:
                self._queues[peer] = queue
        self._count -= len(batch)
        return batch
