"""Availability and validity: what honest validators vouch for can be had again, and was right."""

from __future__ import annotations

from parahost.simulation.checkers.candidate_judge import CandidateJudge
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.record import RecordedBlock


class RecoverableAndValid(Checker):
    """Each included candidate that an honest validator has backed is recoverable from the chunks
    that honest validators have on disk, and those data, executed with the para's code in the
    context of the relay parent, give what the candidate commits to (A80, A99, A116, D14). What
    nobody honest has backed is for ``nothing_final_invalid`` to judge."""

    name = "recoverable_and_valid"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)
        self._judge = CandidateJudge(scene, self._ledger)
        self._seen: dict[bytes, None] = {}

    def on_block(self, block: RecordedBlock) -> None:
        for one in self._ledger.step(block).included:
            if one.candidate in self._seen or not self._judge.is_honestly_backed(one):
                continue
            self._seen[one.candidate] = None
            flaw = self._judge.flaw(one)
            if flaw is not None:
                self.violated(f"para {one.para}: included, {flaw.reason}", block)
