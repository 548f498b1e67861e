"""Parathreads: collators claim the next block of a parathread. A claim costs nothing; one claim
per thread waits at a time, and the scheduler bounds the queue (A31)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import H256, CollatorId, ParaId
from parahost.runtime.module import Module, RuntimeCall, RuntimeEvent, call, entry_point, event
from parahost.runtime.origin import Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.parathreads import ParathreadClaim
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.storage import Overlay
from parahost.runtime.system import System
from parahost.runtime.weights import micros

# Types


@call(0, "claim", weight=micros(130))
@dataclass(frozen=True, slots=True)
class Claim(RuntimeCall):
    """The sender's key is the collator's: only its collations may use the claim."""

    para: ParaId


@event(0)
@dataclass(frozen=True, slots=True)
class Claimed(RuntimeEvent):
    """A collator has the right to the next block of a parathread (A31)."""

    para: ParaId
    collator: H256


class Parathreads(Module, pallet=Pallet(71, "Parathreads")):
    """Claims of collators on the next block of a parathread."""

    calls = (Claim,)
    events = (Claimed,)

    def __init__(self, system: System, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler

    # Entry points

    @entry_point(Claim, origin=Signed)
    def claim(self, store: Overlay, origin: Signed, call: Claim) -> None:
        """:raises NotRegistered: when the para is no parathread.
        :raises ClaimExists: when another claim on the thread waits or is served.
        :raises QueueFull: when too many claims wait.
        """
        collator = CollatorId(origin.account)
        self._scheduler.add_parathread_claim(store, ParathreadClaim(call.para, collator))
        self._system.deposit_event(store, Claimed(call.para, collator))
