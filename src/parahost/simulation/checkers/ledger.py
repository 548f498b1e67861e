"""The parachains' part of the relay chain, worked out once more from its blocks alone.

Each block's votes and candidates are applied to what was pending after its parent, by the guide's
words (A39-A52, D4, D5, D7, D8). What comes out is held against the states by the checkers.
"""

from __future__ import annotations

from dataclasses import replace

from parahost.primitives.basic import CandidateHash, Hash, HeadData
from parahost.primitives.candidates import CommittedCandidateReceipt
from parahost.primitives.statements import BackedCandidate
from parahost.primitives.values import dataclass
from parahost.simulation.checkers import reading
from parahost.simulation.record import ChainRecord, RecordedBlock


@dataclass(frozen=True, slots=True)
class LedgerCandidate:
    """A candidate that awaits availability. ``votes``: validator indices."""

    candidate: CandidateHash
    receipt: CommittedCandidateReceipt
    core: int
    backed_in: RecordedBlock
    votes: frozenset[int] = frozenset()

    @property
    def para(self) -> int:
        return self.receipt.descriptor.para_id


@dataclass(frozen=True, slots=True)
class Backing:
    """A candidate that a block backs. ``parent_head``: the para's head that it must build on;
    ``core``: where it went, ``None`` if the state does not tell."""

    backed: BackedCandidate
    candidate: CandidateHash
    parent_head: HeadData | None
    core: int | None

    @property
    def para(self) -> int:
        return self.backed.candidate.descriptor.para_id


@dataclass(frozen=True, slots=True)
class LedgerStep:
    """What a block did, and what is pending after it. ``doubled``: candidates that the block backs
    although another one of the same para is pending. ``counted``: what was pending before it, but
    for what it brings a dispute's end of, with the votes that it brings; of ``needed`` votes each
    is included."""

    needed: int = 0
    counted: tuple[LedgerCandidate, ...] = ()
    included: tuple[LedgerCandidate, ...] = ()
    timed_out: tuple[LedgerCandidate, ...] = ()
    backings: tuple[Backing, ...] = ()
    doubled: tuple[Backing, ...] = ()
    ends_session: bool = False
    pending: tuple[LedgerCandidate, ...] = ()

    def counted_of(self, para: int) -> LedgerCandidate | None:
        return next((one for one in self.counted if one.para == para), None)

    def backing_of(self, candidate: CandidateHash) -> Backing | None:
        """The backing of a candidate that the block was free to back."""
        return next((one for one in self.backings if one.candidate == candidate), None)


class CandidateLedger:
    """The steps of all blocks of a run."""

    def __init__(self, record: ChainRecord) -> None:
        self._steps: dict[Hash, LedgerStep] = {record.genesis.hash: LedgerStep()}

    def step(self, block: RecordedBlock) -> LedgerStep:
        """What the block did. Its ancestors are asked first, as they come."""
        found = self._steps.get(block.hash)
        if found is None:
            assert block.parent is not None
            found = self._steps[block.hash] = _step(self.step(block.parent), block.parent, block)
        return found


def _step(before: LedgerStep, parent: RecordedBlock, block: RecordedBlock) -> LedgerStep:
    inherent = reading.inherent(block)
    assert inherent is not None, "only genesis has none"
    validators = len(reading.validators(parent.state))
    session = reading.session(parent.state)
    pending = {
        one.core: one
        for one in before.pending
        if not reading.is_found_invalid(block.state, session, one.candidate)
    }
    for bitfield in inherent.bitfields:
        ones = bitfield.bitfield.ones()
        if all(core in pending for core in ones):
            for core in ones:
                votes = pending[core].votes | {bitfield.validator_index}
                pending[core] = replace(pending[core], votes=votes)
    counted = tuple(pending.values())
    needed = validators - (validators - 1) // 3
    included = [one for one in counted if len(one.votes) >= needed]
    for one in included:
        del pending[one.core]
    timed_out = [one for one in pending.values() if _is_timed_out(one, parent, block)]
    for one in timed_out:
        del pending[one.core]
    heads = {one.para: one.receipt.commitments.head_data for one in included}
    ends_session = reading.session(block.state) != session
    backings: list[Backing] = []
    doubled: list[Backing] = []
    taken = {one.para for one in pending.values()}
    for backed in inherent.backed_candidates:
        para = backed.candidate.descriptor.para_id
        head = heads.get(para) or reading.head(parent.state, para)
        place = _core_of(parent, block, para)
        backing = Backing(backed, backed.candidate.hash(), head, place)
        (doubled if para in taken else backings).append(backing)
        taken.add(para)
        if place is not None:
            pending[place] = LedgerCandidate(backing.candidate, backed.candidate, place, block)
    left = () if ends_session else tuple(pending[core] for core in sorted(pending))
    return LedgerStep(
        needed,
        counted,
        tuple(included),
        tuple(timed_out),
        tuple(backings),
        tuple(doubled),
        ends_session,
        left,
    )


def _is_timed_out(one: LedgerCandidate, parent: RecordedBlock, block: RecordedBlock) -> bool:
    """D4."""
    config = reading.configuration(parent.state)
    on_chain = one.core < len(reading.parachains(parent.state))
    period = config.chain_availability_period if on_chain else config.thread_availability_period
    frequency = config.parachain_rotation_frequency
    elapsed = max(block.number - reading.session_start(parent.state), 0)
    since_rotation = elapsed % frequency if frequency else 0
    return since_rotation < period and block.number - one.backed_in.number >= period


def _core_of(parent: RecordedBlock, block: RecordedBlock, para: int) -> int | None:
    """A parachain's core is its place among the parachains; a parathread's is what the state after
    the block says."""
    chains = reading.parachains(parent.state)
    if para in chains:
        return chains.index(para)
    return reading.pending_core(block.state, para)
