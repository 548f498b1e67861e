"""InclusionInherent: the one entry point that every block must have (A51, A52)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from parahost.primitives.basic import U32, BlockNumber, CoreIndex
from parahost.primitives.header import Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module, RuntimeCall, call, entry_point
from parahost.runtime.origin import NoOrigin
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.admission import STRICTLY, Admission
from parahost.runtime.parachains.candidate_checks import RelayParent
from parahost.runtime.parachains.inclusion import Inclusion
from parahost.runtime.parachains.inclusion_errors import (
    InclusionMissing,
    InclusionRepeated,
    WrongParentHeader,
)
from parahost.runtime.parachains.inherent_weight import inclusion_weight
from parahost.runtime.parachains.scheduler import FreedReason, Scheduler
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import System

# Types


@call(
    0,
    "enter",
    weight=lambda call: inclusion_weight(call.data),
    dispatch_class=DispatchClass.MANDATORY,
)
@dataclass(frozen=True, slots=True)
class InclusionCall(RuntimeCall):
    """The call of the ``inclusion`` entry point."""

    data: ParachainsInherentData


class InclusionInherent(Module, pallet=Pallet(54, "ParaInherent")):
    """What the validators bring into each block."""

    calls = (InclusionCall,)

    # Storage

    included = StorageValue("Included", tuple[()])
    """Set when the block has had its inclusion. Ephemeral."""

    def __init__(self, system: System, scheduler: Scheduler, inclusion: Inclusion) -> None:
        self.system = system
        self.scheduler = scheduler
        self.inclusion_module = inclusion

    # Entry points

    @entry_point(InclusionCall, origin=NoOrigin)
    def inclusion(self, store: Overlay, _origin: NoOrigin, call: InclusionCall) -> None:
        """Disputes free cores, bitfields free cores, timeouts free cores, free cores are scheduled,
        candidates occupy them (A52). Exactly once per block.

        :raises InvalidBlock: when any of it breaks a rule, or it is there a second time (A50).
        """
        if self.included.exists(store):
            raise InclusionRepeated
        self.process(store, call.data, STRICTLY)
        self.included.put(store, ())

    # Routines

    def process(
        self, store: Overlay, data: ParachainsInherentData, admission: Admission
    ) -> ParachainsInherentData:
        """The steps of the inherent: the same for who executes a block and for who makes one. Gives
        the part of ``data`` that was taken.

        :raises InvalidBlock: when what is given is no inherent of this block.
        """
        relay_parent = self.relay_parent(store, data.parent_header)
        inclusion, scheduler = self.inclusion_module, self.scheduler

        disputes = inclusion.validity.process_disputes(store, data.disputes, admission)
        disputed = inclusion.collect_disputed(store)
        core_lookup = partial(scheduler.core_para, store)
        bitfields = inclusion.process_bitfields(store, data.bitfields, core_lookup, admission)
        self.free_and_schedule(store, (*disputed, *bitfields.freed))
        candidates = inclusion.process_candidates(
            store, data.backed_candidates, scheduler.scheduled(store), relay_parent, admission
        )
        scheduler.occupied(store, candidates.cores)
        if not inclusion.takes_candidates(store):
            scheduler.withdraw(store)
        return replace(
            data,
            disputes=disputes,
            bitfields=bitfields.counted,
            backed_candidates=candidates.taken,
        )

    def relay_parent(self, store: Reader, parent_header: Header) -> RelayParent:
        """The block's parent, as candidates see it.

        :raises WrongParentHeader: when the header is not the parent's.
        """
        parent = self.system.parent_hash(store)
        if parent_header.hash() != parent:
            raise WrongParentHeader(parent, parent_header.hash())
        number = BlockNumber(U32(self.system.block_number(store) - 1))
        return RelayParent(parent, number, parent_header.state_root)

    def free_and_schedule(self, store: Overlay, concluded: Sequence[CoreIndex]) -> None:
        """Give up what is timed out, and schedule its cores and those of what is available or found
        invalid."""
        freed = dict.fromkeys(concluded, FreedReason.CONCLUDED)
        is_timed_out = self.scheduler.availability_timeout_predicate(store)
        if is_timed_out is not None:
            timed_out = self.inclusion_module.collect_pending(store, is_timed_out)
            freed.update(dict.fromkeys(timed_out, FreedReason.TIMED_OUT))
        self.scheduler.schedule(store, freed)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """:raises InclusionMissing: when the block has had no inclusion (A51)."""
        if not self.included.exists(store):
            raise InclusionMissing
        self.included.kill(store)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the mark of a finished block is still there."""
        if self.included.exists(store):
            raise RuntimeBug("ParaInherent: Included outlives its block")
