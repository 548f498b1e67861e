"""Parathreads: collators claim the next block of a parathread. A claim costs nothing; one claim
per thread waits at a time, and the scheduler bounds the queue (A31)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import CollatorId, ParaId
from parahost.primitives.scale import variant
from parahost.runtime.events import Claimed
from parahost.runtime.origin import Origin, ensure_signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.parathreads import ParathreadClaim
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.storage import Module, Overlay
from parahost.runtime.system import System
from parahost.runtime.weights import micros, weighs

# Types


@variant(Pallet.Parathreads, 0)
@weighs(micros(130))
@dataclass(frozen=True, slots=True)
class Claim:
    """The sender's key is the collator's: only its collations may use the claim."""

    para: ParaId


class Parathreads(Module, pallet="Parathreads"):
    def __init__(self, system: System, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler

    # Entry points

    def dispatch(self, store: Overlay, origin: Origin, call: Claim) -> None:
        """:raises BadOrigin: when the claim is not signed.
        :raises NotRegistered: when the para is no parathread.
        :raises ClaimExists: when another claim on the thread waits or is served.
        :raises QueueFull: when too many claims wait.
        """
        collator = CollatorId(ensure_signed(origin))
        self._scheduler.add_parathread_claim(store, ParathreadClaim(call.para, collator))
        self._system.deposit_event(store, Claimed(call.para, collator))
