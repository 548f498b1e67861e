"""Bitfield Signing: our own vote on what is available, once per leaf (A95, D13).

Of a candidate that may be invalid it says nothing: nobody would build on a block that includes it,
and a vote cannot be taken apart, so that it would hold up all other candidates.
"""

from __future__ import annotations

from typing import ClassVar

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.availability import DistributeBitfield, WaitChunks
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import OverseerSignal, StartWork
from parahost.node.messages.validity import BarredCandidates
from parahost.node.overseer import Subsystem
from parahost.ports import ContradictionRefused, KeyStore, KeyType, promises
from parahost.primitives.availability import SignedAvailabilityBitfield, bitfield_payload
from parahost.primitives.basic import CandidateHash, ChunkIndex, ValidatorIndex
from parahost.primitives.runtime_api import OccupiedCore
from parahost.primitives.scale import BitVec

AVAILABILITY_WAIT_S = 1.5


class BitfieldSigning(Subsystem):
    """One job per leaf. ``slot_duration_s`` bounds the wait: a quarter of it, at most 1.5 s."""

    name = "bitfield-signing"
    sends: ClassVar[tuple[type[Message], ...]] = (
        WaitChunks,
        BarredCandidates,
        DistributeBitfield,
    )

    def __init__(self, keys: KeyStore, slot_duration_s: float) -> None:
        self._keys = keys
        self._wait_s = min(AVAILABILITY_WAIT_S, slot_duration_s / 4)

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, StartWork):
            leaf = signal.leaf
            own = leaf.session.own_index(self._keys)
            if own is not None:
                self.ctx.spawn(leaf.hash, lambda: self._sign(leaf, own), "sign bitfield")

    def on_message(self, message: Message) -> None:
        raise AssertionError(f"{message!r}: this subsystem receives nothing")

    async def _sign(self, leaf: ActiveLeaf, own: ValidatorIndex) -> None:
        relay_parent, session, cores = leaf.hash, leaf.session, leaf.cores
        pending = {
            index: core.candidate_hash
            for index, core in enumerate(cores)
            if isinstance(core, OccupiedCore)
        }
        wanted = WaitChunks(tuple(pending.values()), ChunkIndex(own), self._wait_s)
        kept = await self.ctx.ask(wanted)
        voted = frozenset(kept) - await self._barred(frozenset(kept))
        held = [core for core, candidate in pending.items() if candidate in voted]
        bitfield = BitVec.with_ones(len(cores), held)
        try:
            signature = self._keys.sign(
                KeyType.PARACHAIN,
                session.validators[own],
                bitfield_payload(bitfield, own, session.signing),
                [promises.bitfield(relay_parent)],
            )
        except ContradictionRefused as refusal:
            self.ctx.journal.record(
                "bitfield.refused", relay_parent=relay_parent, reason=str(refusal)
            )
            return
        self.ctx.journal.record(
            "bitfield.signed", relay_parent=relay_parent, held=len(held), pending=len(pending)
        )
        signed = SignedAvailabilityBitfield(bitfield, own, signature)  # type: ignore[arg-type]
        self.ctx.send(DistributeBitfield(relay_parent, signed))

    async def _barred(self, candidates: frozenset[CandidateHash]) -> frozenset[CandidateHash]:
        if not candidates:
            return frozenset()
        try:
            return await self.ctx.ask(BarredCandidates(tuple(sorted(candidates))))
        except Unanswered:  # the next block came in between
            return frozenset()
