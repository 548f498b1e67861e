"""From backed to included: one candidate at a time, and none without the votes for it."""

from __future__ import annotations

from collections.abc import Mapping

from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.record import RecordedBlock


class OnePendingPerPara(Checker):
    """At most one candidate is pending per para, and it is the one that was backed (A116)."""

    name = "one_pending_per_para"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def on_block(self, block: RecordedBlock) -> None:
        step = self._ledger.step(block)
        for backing in step.doubled:
            self.violated(f"para {backing.para} got a second candidate while one is pending", block)
        cores = [one.core for one in step.pending]
        if len(cores) != len(set(cores)):
            self.violated("two candidates are pending on one core", block)
        expected = {one.para: one.candidate for one in step.pending}
        actual = {
            para: reading.pending_candidate(block.state, para)
            for para in reading.paras_in(block.state, "ParaInclusion", "PendingAvailability")
        }
        if actual != expected:
            self.violated(
                f"pending are {_named(actual)}, by the blocks it should be {_named(expected)}",
                block,
            )


class IncludedByTwoThirds(Checker):
    """A para's head moves exactly when more than two thirds of the validators have voted that the
    candidate is available, and to that candidate's head (A43)."""

    name = "included_by_two_thirds"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def on_block(self, block: RecordedBlock) -> None:
        assert block.parent is not None
        step = self._ledger.step(block)
        included = {one.para: one for one in step.included}
        for para in reading.paras_in(block.state, "Paras", "Heads"):
            before = reading.head(block.parent.state, para)
            after = reading.head(block.state, para)
            if para in included:
                if after != included[para].receipt.commitments.head_data:
                    self.violated(f"para {para} has not moved to the head it has votes for", block)
            elif before is not None and after != before:
                counted = step.counted_of(para)
                votes = 0 if counted is None else len(counted.votes)
                self.violated(
                    f"para {para} has moved on without two thirds of the votes:"
                    f" {votes}, where {step.needed} are needed",
                    block,
                )


def _named(pending: Mapping[int, bytes]) -> str:
    return "{" + ", ".join(f"{para}: 0x{hash.hex()[:8]}" for para, hash in pending.items()) + "}"
