"""What a block's author may put into its inherent of all that it was given (D8, D15)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import CoreIndex, ValidatorIndex
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.limits import KIB, MAX_BODY_BYTES
from parahost.primitives.scale import encode
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.parachains.candidate_checks import RelayParent
from parahost.runtime.parachains.host import Parachains
from parahost.runtime.parachains.inclusion_errors import InvalidBitfield, InvalidCandidate
from parahost.runtime.parachains.inherent_weight import (
    MAX_INCLUSION_WEIGHT,
    candidate_weight,
    inclusion_weight,
)
from parahost.runtime.storage import Overlay, State

MAX_INHERENT_BYTES: Final = MAX_BODY_BYTES - 256 * KIB
"""The rest of the body is for the timestamp and for small transactions."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that stays out of the block, and why."""

    backed: BackedCandidate
    reason: str


@dataclass(frozen=True, slots=True)
class Sanitized:
    """What an author may put into its block, and the candidates that it may not."""

    inherent: ParachainsInherentData
    dropped: tuple[Dropped, ...]


def sanitize(parachains: Parachains, state: State, data: ParachainsInherentData) -> Sanitized:
    """The part of ``data`` that a child of the block with that state accepts: it always does.

    Of several acceptable bitfields of one validator the fullest stays, of several candidates for
    one core the first. Of the candidates stay, in the order of cores, those that fit into a block
    together: what does not may come with the next block. Disputes are dropped: the runtime takes
    none yet.

    :raises ValueError: when ``parent_header`` is not of the block with that state; nothing could
        be accepted with it.
    """
    header = data.parent_header
    if header.state_root != state.root:
        raise ValueError(
            f"the header of {header.hash().hex()} has the state root {header.state_root.hex()}, "
            f"the state {state.root.hex()}"
        )
    store = parachains.child_of(state, header.hash())
    bitfields = _acceptable_bitfields(parachains, store, data.bitfields)
    _apply(parachains, store, bitfields)
    relay_parent = parachains.inclusion_inherent.relay_parent(store, header)
    dropped: list[Dropped] = []
    candidates = _acceptable_candidates(
        parachains, store, data.backed_candidates, relay_parent, dropped
    )
    without = replace(data, bitfields=bitfields, backed_candidates=(), disputes=())
    fitting = _that_fit(without, candidates, dropped)
    return Sanitized(replace(without, backed_candidates=fitting), tuple(dropped))


def _acceptable_bitfields(
    parachains: Parachains, store: Overlay, given: Iterable[SignedAvailabilityBitfield]
) -> tuple[SignedAvailabilityBitfield, ...]:
    """The fullest valid bitfield of each validator that has no bit for a free core."""
    inclusion, scheduler = parachains.inclusion, parachains.scheduler
    validators, context = inclusion.validators(store), inclusion.signing_context(store)
    cores = len(scheduler.availability_cores.get(store))
    pending = inclusion.pending_by_core(store, partial(scheduler.core_para, store))

    kept: dict[ValidatorIndex, SignedAvailabilityBitfield] = {}
    for signed in sorted(given, key=lambda s: (s.validator_index, -s.bitfield.count())):
        if signed.validator_index in kept:
            continue
        try:
            inclusion.check_bitfield(signed, cores, validators, context)
        except InvalidBitfield:
            continue
        if all(core in pending for core in signed.bitfield.ones()):
            kept[signed.validator_index] = signed
    return tuple(kept.values())


def _apply(
    parachains: Parachains, store: Overlay, bitfields: tuple[SignedAvailabilityBitfield, ...]
) -> None:
    """Bring the store to where the inherent considers candidates. Validity, which needs the
    block's author, has no say in what a candidate is checked against."""
    inclusion, scheduler = parachains.inclusion, parachains.scheduler
    core_lookup = partial(scheduler.core_para, store)
    available = inclusion.apply_bitfields(store, bitfields, core_lookup)
    for para, pending in available:
        inclusion.include(store, para, pending)
    freed = [pending.core for _, pending in available]
    parachains.inclusion_inherent.free_and_schedule(store, freed)


def _acceptable_candidates(
    parachains: Parachains,
    store: Overlay,
    given: Iterable[BackedCandidate],
    relay_parent: RelayParent,
    dropped: list[Dropped],
) -> tuple[BackedCandidate, ...]:
    """The first valid candidate for each scheduled core, ascending by core; the others are put to
    ``dropped``."""
    inclusion = parachains.inclusion
    assignments = {
        assignment.para_id: assignment for assignment in parachains.scheduler.scheduled(store)
    }
    kept: dict[CoreIndex, BackedCandidate] = {}
    for backed in given:
        para = backed.candidate.descriptor.para_id
        assignment = assignments.get(para)
        if assignment is None:
            dropped.append(Dropped(backed, f"para {para} has no free core in the block"))
            continue
        if assignment.core in kept:
            dropped.append(Dropped(backed, f"core {assignment.core} has another candidate"))
            continue
        candidate_hash = backed.candidate.hash()
        try:
            inclusion.check_candidate(store, backed, candidate_hash, assignment, relay_parent)
        except InvalidCandidate as why:
            dropped.append(Dropped(backed, str(why)))
            continue
        kept[assignment.core] = backed
    return tuple(kept[core] for core in sorted(kept))


def _that_fit(
    without: ParachainsInherentData,
    candidates: tuple[BackedCandidate, ...],
    dropped: list[Dropped],
) -> tuple[BackedCandidate, ...]:
    """The candidates that have room in a block beside the rest of the inherent; the others are put
    to ``dropped``. One that has none does not keep out those after it."""
    size, weight = len(encode(without)), inclusion_weight(without).ref_time
    kept = []
    for backed in candidates:
        with_it = size + len(encode(backed)), weight + candidate_weight(backed).ref_time
        if with_it[0] <= MAX_INHERENT_BYTES and with_it[1] <= MAX_INCLUSION_WEIGHT.ref_time:
            size, weight = with_it
            kept.append(backed)
        else:
            dropped.append(Dropped(backed, "the block has no room left for it"))
    return tuple(kept)
