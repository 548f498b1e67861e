"""Checks and disputes: each candidate gets its verdict in time, and none that is final is bad."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from parahost.primitives.basic import CandidateHash, Hash
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.candidate_judge import CandidateJudge, Flaw
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.journal import TraceEvent
from parahost.simulation.record import RecordedBlock

VOTES_COME_WITHIN = 12
"""Blocks that a dispute may take, when those who vote are there: the data are to be had again, and
executed, and votes find their way into blocks."""


class NothingFinalInvalid(Checker):
    """No candidate that is invalid, or whose data are lost, is in a final block, as long as at most
    f validators are dishonest: whatever its backers have sworn (A53, A57, D27)."""

    name = "nothing_final_invalid"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)
        self._judge = CandidateJudge(scene, self._ledger)
        self._flaws: dict[CandidateHash, Flaw | None] = {}
        self._final: dict[Hash, None] = {scene.record.genesis.hash: None}

    def on_block(self, block: RecordedBlock) -> None:
        """Judge what nobody honest has backed while its data are there."""
        for one in self._ledger.step(block).included:
            if one.candidate not in self._flaws and not self._judge.is_honestly_backed(one):
                self._flaws[one.candidate] = self._judge.flaw(one)

    def on_final(self, node: str, block: RecordedBlock) -> None:
        for each in block.ancestry():
            if each.hash in self._final:
                return
            self._final[each.hash] = None
            self._look_at(node, each)

    def _look_at(self, node: str, block: RecordedBlock) -> None:
        assert block.parent is not None
        if not self.scene.may_be_trusted(reading.validators(block.parent.state)):
            return
        for one in self._ledger.step(block).included:
            flaw = self._flaws.get(one.candidate)
            if flaw is not None:
                self.violated(f"para {one.para}: final for {node}, {flaw.reason}", block)


class AcceptedOrDisputed(Checker):
    """After the last fault, each included candidate is accepted or disputed within its bound, as
    long as at most f validators are dishonest (A53, A54, D22)."""

    name = "accepted_or_disputed"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def at_end(self) -> None:
        chain = _calm_chain(self.scene)
        for block, later in zip(chain, _bounds_of(chain), strict=True):
            if later is None or block.parent is None:
                continue
            if not self.scene.may_be_trusted(reading.validators(block.parent.state)):
                continue
            session = reading.session(block.parent.state)
            for one in self._ledger.step(block).included:
                key = session, one.candidate
                if not reading.is_unaccepted(later.state, *key):
                    continue
                if reading.dispute(later.state, *key) is None:
                    waited = later.number - block.number
                    self.violated(
                        f"para {one.para}: after {waited} blocks its candidate is neither accepted "
                        "nor disputed",
                        block,
                    )


def _bounds_of(chain: list[RecordedBlock]) -> Iterator[RecordedBlock | None]:
    """For each block, the one by which what it includes is to have its verdict; ``None`` when it
    has not come yet."""
    for place, block in enumerate(chain):
        bound = place + blocks_to_verdict(block)
        yield chain[bound] if bound < len(chain) else None


def blocks_to_verdict(block: RecordedBlock) -> int:
    """How many blocks a candidate may wait for its verdict: until all tranches have come, then for
    f checkers that do not deliver, one after another; and for votes to come into blocks."""
    parent = block.parent or block
    approval = reading.validity(parent.state).approval
    dishonest = (len(reading.validators(parent.state)) - 1) // 3
    tranches = approval.n_delay_tranches // approval.tranches_per_slot + 1
    return tranches + (1 + dishonest) * approval.no_show_slots + VOTES_COME_WITHIN


class NoWakeUpMissing(Checker):
    """After the last fault, each honest validator comes to hold each candidate of its chain for
    checked within the bound, unless its block is final or somebody disputes it: whoever has to join
    wakes up, and whoever does not deliver is covered (A54, D22)."""

    name = "no_wake_up_missing"
    events = ("approval.approved",)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)
        self._approved: dict[tuple[str, object, object], None] = {}
        self._validators = frozenset(node.name for node in scene.plan.validators)

    def on_event(self, event: TraceEvent) -> None:
        told = event.node, event.fields["relay_parent"], event.fields["candidate"]
        self._approved[told] = None

    def on_import(self, node: str, block: RecordedBlock) -> None:
        if node not in self._validators:
            return
        final = self.scene.record.final.get(node, self.scene.record.genesis)
        for each in block.ancestry():
            if each.number <= final.number or each.at < self.scene.calm_since():
                return
            waited = trio.current_time() - each.at
            if waited > blocks_to_verdict(each) * self.scene.plan.shape.slot_s:
                self._look_at(node, each, block)

    def _look_at(self, node: str, block: RecordedBlock, tip: RecordedBlock) -> None:
        assert block.parent is not None
        state = block.parent.state
        if not reading.validity(state).approval.needed_approvals:
            return
        if not self.scene.may_be_trusted(reading.validators(state)):
            return
        session = reading.session(state)
        for one in self._ledger.step(block).included:
            is_approved = (node, block.hash, one.candidate) in self._approved
            is_disputed = reading.dispute(tip.state, session, one.candidate) is not None
            if not (is_approved or is_disputed):
                self.violated(f"para {one.para}: {node} still waits for its checks", block)


class DisputesConclude(Checker):
    """After the last fault, each dispute of a candidate that its fork has included concludes, as
    long as at most f validators are dishonest: 2f + 1 can be reached then (A57, A62)."""

    name = "disputes_conclude"

    def at_end(self) -> None:
        chain = _calm_chain(self.scene)
        if not chain:
            return
        tip = chain[-1]
        for (session, candidate), state in reading.disputes(tip.state).items():
            info = reading.session_info(tip.state, session)
            if state.start < chain[0].number or info is None:
                continue
            if not self.scene.may_be_trusted(info.validators):
                continue
            ended = tip.number if state.concluded_at is None else state.concluded_at
            if ended - state.start > VOTES_COME_WITHIN:
                self.violated(
                    f"candidate 0x{candidate.hex()[:8]} is disputed since block {state.start} "
                    f"and after {ended - state.start} blocks nobody had a supermajority",
                    tip,
                )


def _calm_chain(scene: Scene) -> list[RecordedBlock]:
    """The best chain from the last fault on, the earliest block first."""
    calm = scene.calm_since()
    return [block for block in scene.record.best().ancestry() if block.at >= calm][::-1]
