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
    """The waiting claims by para."""
    raw = state.get_raw(reading.key("ParaScheduler", "ParathreadQueue"))
    claims, _ = decode_prefix(tuple[QueuedClaim, ...], raw or b"\x00")
    return {claim.para: claim for claim in claims}


class ClaimsGetTheirTries(Checker):
    """A parathread's candidate is backed only for a claim of its collator that waited; a claim is
    tried as often as the configuration says and then dropped, and is used up by one inclusion
    (A28-A31, A37, D5, D6)."""

    name = "claims_get_their_tries"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def on_block(self, block: RecordedBlock) -> None:
        parent = block.parent
        assert parent is not None
        step = self._ledger.step(block)
        chains = reading.parachains(parent.state)
        before, after = queued_claims(parent.state), queued_claims(block.state)
        tries = reading.configuration(parent.state).parathread_retries
        backed = {backing.para: backing for backing in step.backings}
        returned = {one.para for one in step.timed_out}
        for para, backing in backed.items():
            if para in chains:
                continue
            collator = backing.backed.candidate.descriptor.collator
            claim = before.get(para)
            if claim is None and para not in returned:
                self.violated(f"parathread {para} got a block without a claim", block)
            elif claim is not None and claim.collator != collator:
                self.violated(f"parathread {para}: the claim is another collator's", block)
            if para in after and not step.ends_session:
                self.violated(f"parathread {para} keeps a claim that is being served", block)
        for para, claim in before.items():
            later = after.get(para)
            if later is not None and later.collator == claim.collator:
                if not claim.retries <= later.retries <= claim.retries + 1:
                    self.violated(f"parathread {para}: more than one try in one block", block)
                if later.retries > tries:
                    self.violated(f"parathread {para} is tried more than {tries} times", block)
            elif para not in backed and claim.retries < tries:
                self.violated(
                    f"parathread {para} lost its claim after {claim.retries} of {tries} retries",
                    block,
                )
