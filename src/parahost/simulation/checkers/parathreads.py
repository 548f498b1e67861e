"""Parathreads: each claim gets its tries, and nothing beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import U32, CollatorId
from parahost.primitives.scale import decode_prefix
from parahost.runtime.storage import State
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.record import RecordedBlock


@dataclass(frozen=True, slots=True)
class QueuedClaim:
    """An entry of the queue as the state encodes it (A22): para, collator, retries, core."""

    para: U32
    collator: CollatorId
    retries: U32
    core: U32


def queued_claims(state: State) -> dict[int, QueuedClaim]:
    """The waiting claims by para, in their order."""
    raw = state.get_raw(reading.key("ParaScheduler", "ParathreadQueue"))
    claims, _ = decode_prefix(tuple[QueuedClaim, ...], raw or b"\x00")
    return {claim.para: claim for claim in claims}


class ClaimsGetTheirTries(Checker):
    """A parathread's candidate is backed only for a claim of its collator whose turn it is. A claim
    whose turn passes without a block has one try less, and is dropped after the last; a claim that
    waits stays as it is (A28-A31, A37, D5, D6). On a frozen fork all wait."""

    name = "claims_get_their_tries"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def on_block(self, block: RecordedBlock) -> None:
        parent = block.parent
        assert parent is not None
        step = self._ledger.step(block)
        if step.ends_session:
            return  # all claims return to the queue, and the queue is balanced anew
        before, after = queued_claims(parent.state), queued_claims(block.state)
        tries = reading.configuration(parent.state).parathread_retries
        backed = {backing.para: backing for backing in step.backings}
        turns = self._turns(parent, block)
        returned = {one.para for one in step.timed_out}
        for para, backing in backed.items():
            if para in reading.parachains(parent.state) or para in returned:
                continue
            if para not in turns:
                self.violated(f"parathread {para} got a block and it was not its turn", block)
            elif before[para].collator != backing.backed.candidate.descriptor.collator:
                self.violated(f"parathread {para}: the claim is another collator's", block)
        for para, claim in before.items():
            spent = claim.retries + (para in turns)
            due = para not in backed and spent <= tries
            later = after.get(para)
            if due and later is None:
                self.violated(f"parathread {para} lost its claim at {spent} of {tries}", block)
            elif due and later is not None and later.retries != spent:
                self.violated(
                    f"parathread {para} was tried {later.retries} times, not {spent}", block
                )
            elif not due and later is not None and later.collator == claim.collator:
                self.violated(f"parathread {para} keeps a claim that is used up", block)

    def _turns(self, parent: RecordedBlock, block: RecordedBlock) -> dict[int, None]:
        """The paras whose claims are the first for a core that is free in the block."""
        if reading.is_frozen(block.state):
            return {}
        step = self._ledger.step(block)
        freed = {one.core for one in (*step.included, *step.timed_out)}
        taken = {one.core for one in step.counted} - freed
        chains = len(reading.parachains(parent.state))
        turns: dict[int, None] = {}
        for para, claim in queued_claims(parent.state).items():
            core = chains + claim.core
            if core not in taken:
                taken.add(core)
                turns[para] = None
        return turns
