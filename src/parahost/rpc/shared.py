"""What all connections of a server have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from parahost.ports import Clock
from parahost.rpc.access import Access
from parahost.rpc.budget import ByteBudget
from parahost.rpc.limits import (
    ANSWER_BYTES_TOGETHER,
    CALLS_PER_S,
    REQUEST_BYTES_TOGETHER,
)
from parahost.rpc.service import Service
from parahost.rpc.session import SubscriptionCount
from parahost.token_bucket import TokenBucket


@dataclass(frozen=True, slots=True)
class Shared:
    service: Service
    access: Access
    clock: Clock
    requests: ByteBudget = field(default_factory=lambda: ByteBudget(REQUEST_BYTES_TOGETHER))
    answers: ByteBudget = field(default_factory=lambda: ByteBudget(ANSWER_BYTES_TOGETHER))
    subscriptions: SubscriptionCount = field(default_factory=SubscriptionCount)

    def calls_of_one(self) -> TokenBucket:
        """How many calls one connection may make."""
        return TokenBucket(self.clock, CALLS_PER_S, CALLS_PER_S)
