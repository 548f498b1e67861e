"""Approval voting as a machine: what happens or the time goes in, effects come out.

It follows every block that is not final and whose candidates the chain still records, and of final
ones the candidates that the chain has not accepted yet. For each of their candidates it knows who
checks it and who found it valid, and it says when this node's own assignment is needed. On disk are
own checks alone: after a restart the blocks come again from the chain, own assignments are drawn
again, and what others do is heard from them and read off the chain. ``approval_voting.py`` is the
driver.

Two things are apart. A candidate is *approved* as soon as its checks are complete in this node's
view, once and for all: finality waits for that (D27). It is *settled* when the final chain has
accepted it. Until then its checkers are followed, for the chain may need more of them: an
assignment that came late, by a checker that fell silent, counts there too. That the chain has
accepted a candidate approves it in nobody's view, since an author may have left out the
assignments of those who do not deliver; but each check that it has noted was verified, and counts.

What the chain records no more (``followed_blocks.py``) is forgotten as soon as this node has
approved it, be it final or not; and who comes later, and finds no record of it, takes it for
approved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from parahost.node.messages.validity import (
    CheckVerdict,
    DistributeAssignment,
    DistributeCheck,
    ImportAssignment,
    ImportCheck,
)
from parahost.node.validity.approval_effects import (
    ApprovalEffect,
    ApprovalInput,
    BeginCheck,
    BlocksRecorded,
    CandidateChecked,
    CandidatePlace,
    CandidatesFinal,
    CandidatesSettled,
    CertifyAssignment,
    ChecksNoted,
    DisputeCandidate,
    Draw,
    DrawAssignments,
    ForgetBlock,
    ForgetCandidate,
    OwnApprovalSigned,
    OwnAssignmentCertified,
    OwnAssignmentsDrawn,
    SignApproval,
    TellApproved,
    TellLate,
)
from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.checking import Checking, CheckStanding, TrancheTime
from parahost.node.validity.followed_blocks import FollowedBlocks
from parahost.node.validity.voting_limit import Ancestry
from parahost.primitives.approval import Approval, RelayVrfStory
from parahost.primitives.basic import U32, BlockNumber, Hash, SessionIndex, ValidatorIndex
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.runtime.parachains.windows import CandidateKey

OwnIndex = Callable[[SessionInfo], ValidatorIndex | None]
"""Which validator of a session this node is, if any."""
OwnCheckKept = Callable[[CandidateKey], Approval | None]
"""What this node has signed of a candidate, maybe in an earlier life."""


class OwnCheck(Enum):
    """How far this node's check of a candidate is."""

    NOT_BEGUN = "not begun"
    UNDER_WAY = "under way"
    FAILED = "nothing was found out: to be tried again"
    OVER = "over"


@dataclass(slots=True)
class CandidateFindings:
    """What has been found of a candidate, wherever it is included."""

    approvals: dict[ValidatorIndex, Approval | None] = field(default_factory=dict)
    """Who found it valid; ``None`` where only the chain has the signature."""
    check: OwnCheck = OwnCheck.NOT_BEGUN
    again_ms: int = 0
    """When a check that has failed is tried again."""
    places: dict[CandidatePlace, Checking] = field(default_factory=dict)


class ApprovalMachine:
    """One node's part in the checks of included candidates. Times are in seconds since the Unix
    epoch, by the node's clock."""

    def __init__(
        self,
        slot_ms: int,
        own_index: OwnIndex,
        own_check: OwnCheckKept,
        chain: Ancestry,
        final: BlockNumber,
    ) -> None:
        self._slot_ms = slot_ms
        self._own_check = own_check
        self._own_index = own_index
        self._blocks = FollowedBlocks(chain, final)
        self._checkings: dict[CandidatePlace, Checking] = {}
        self._candidates: dict[CandidateKey, CandidateFindings] = {}
        self._touched: dict[CandidatePlace, None] = {}
        """What is to be looked at anew."""
        self._wake: list[tuple[int, CandidatePlace]] = []
        """A heap; an entry counts while its candidate is due then."""
        self._out: list[ApprovalEffect] = []

    # Questions

    def knows(self, block: Hash) -> bool:
        """Whether all is known of the candidates up to a block that was met lately."""
        return self._blocks.knows(block)

    def follows(self, block: Hash) -> bool:
        """Whether the block's candidates are followed."""
        return block in self._blocks

    @property
    def unapproved(self) -> int:
        """Candidates in blocks that are not final that do not have the checks that they need."""
        return sum(not checking.is_approved for checking in self._checkings.values())

    def candidate(self, place: CandidatePlace) -> IncludedCandidate:
        """The candidate at a place that is not forgotten."""
        return self._checkings[place].record

    def approved_ancestor(
        self, base: tuple[Hash, BlockNumber], target: tuple[Hash, BlockNumber]
    ) -> tuple[Hash, BlockNumber]:
        """The highest block from ``base`` up to ``target`` such that all that was included after
        ``base`` is approved; ``base`` when ``target`` is not known or not above it."""
        if not (self.knows(target[0]) and self._blocks.is_ancestor(base[0], target[0])):
            return base
        for block in self._blocks.on_fork(target[0]):
            if block.number > max(base[1], self._blocks.final) and not self._is_approved(block):
                below = BlockNumber(U32(block.number - 1))
                return (block.parent, below) if below > base[1] else base
        return target

    def _is_approved(self, block: CheckedBlock) -> bool:
        return all(self._checkings[place].is_approved for place in _included(block))

    def on_fork(self, head: Hash) -> Iterator[tuple[Checking, CandidateFindings]]:
        """The candidates of a block and of those below it that are followed, the oldest first; with
        what was found of them."""
        for place in self._fork(head):
            checking = self._checkings[place]
            yield checking, self._candidates[checking.record.key()]

    def approvals(self, key: CandidateKey) -> tuple[Approval, ...]:
        """The checks of a candidate whose signatures this node has."""
        candidate = self._candidates.get(key)
        heard = () if candidate is None else candidate.approvals.values()
        return tuple(approval for approval in heard if approval is not None)

    def unsettled(self) -> tuple[CandidateKey, ...]:
        """The candidates of final blocks that the chain may still take checks of."""
        final = (b for b in self._blocks if b.number <= self._blocks.final)
        keys = (self._checkings[place].record.key() for b in final for place in self._open(b))
        return tuple(dict.fromkeys(keys))

    def _fork(self, head: Hash) -> Iterator[CandidatePlace]:
        """The candidates up to a block that are followed."""
        for block in self._blocks.on_fork(head):
            yield from self._open(block)

    def _open(self, block: CheckedBlock) -> list[CandidatePlace]:
        return [place for place in _places(block) if place in self._checkings]

    # What happens

    def handle(self, event: ApprovalInput, now: float) -> Sequence[ApprovalEffect]:
        """What follows at once. What may follow besides is for :meth:`advance`."""
        now_ms = _ms(now)
        match event:
            case CheckedBlock():
                self._begin(event, now_ms)
            case OwnAssignmentsDrawn(block, drawn):
                for index, own in drawn.items():
                    if (checking := self._checkings.get((block, index))) is not None:
                        checking.own = own
                        self._touch((block, index))
            case OwnAssignmentCertified(place):
                self._announced(place, event, now_ms)
            case ImportAssignment(block, index):
                self._assigned((block, index), event, now_ms)
            case ImportCheck(block, index, approval):
                if (checking := self._checkings.get((block, index))) is not None:
                    self._approve(checking.record.key(), approval)
            case CandidateChecked(key, verdict):
                self._checked(key, verdict, now_ms)
            case OwnApprovalSigned(key, approval):
                if key in self._candidates:
                    self._candidates[key].check = OwnCheck.OVER
                    if approval is not None:
                        self._approve(key, approval)
            case ChecksNoted():
                self._noted(event, now_ms)
            case BlocksRecorded(best, recorded):
                self._let_go(best, recorded)
            case CandidatesFinal(block, number):
                self._finalized(block, number)
            case CandidatesSettled(keys):
                self._settled(keys)
        return self._given()

    def advance(self, now: float) -> Sequence[ApprovalEffect]:
        """What is due now."""
        now_ms = _ms(now)
        while self._wake and self._wake[0][0] <= now_ms:
            due, place = heappop(self._wake)
            checking = self._checkings.get(place)
            if checking is not None and checking.due_ms == due:
                self._touch(place)
        touched, self._touched = self._touched, {}
        for place in touched:
            if (checking := self._checkings.get(place)) is not None:
                self._look_at(place, checking, now_ms)
        return self._given()

    def next_due(self) -> float | None:
        """When to :meth:`advance` at the latest; ``None`` when nothing is waited for."""
        if self._touched:
            return 0.0
        while self._wake:
            due, place = self._wake[0]
            checking = self._checkings.get(place)
            if checking is not None and checking.due_ms == due:
                return due / 1000
            heappop(self._wake)
        return None

    def _given(self) -> Sequence[ApprovalEffect]:
        given, self._out = self._out, []
        return given

    # Blocks

    def _begin(self, block: CheckedBlock, now_ms: int) -> None:
        if not self._blocks.meet(block):
            return
        for place, record in zip(_places(block), block.candidates, strict=True):
            session = block.session_of(record)
            me = self._own_index(session)
            if me in record.backers or not session.approval.needed_approvals:
                me = None
            time = TrancheTime(
                record.included_slot, self._slot_ms, session.approval.tranches_per_slot
            )
            checking = Checking(record, session, time, me, _hears_until(time, now_ms))
            self._checkings[place] = checking
            self._findings(record.key()).places[place] = checking
            self._touch(place)
        if draws := self._draws(block):
            self._out.append(DrawAssignments(block.hash, draws))

    def _findings(self, key: CandidateKey) -> CandidateFindings:
        found = self._candidates.get(key)
        if found is None:
            own = self._own_check(key)
            found = CandidateFindings({} if own is None else {own.validator_index: own})
            self._candidates[key] = found
        return found

    def _draws(self, block: CheckedBlock) -> tuple[Draw, ...]:
        """What this node is to draw for: a block's own candidates have one story, those of other
        forks theirs."""
        sources: dict[tuple[SessionIndex, RelayVrfStory], dict[int, int]] = {}
        for index, record in enumerate(block.candidates):
            if self._checkings[block.hash, index].me is not None:
                source = record.session, record.relay_vrf_story
                sources.setdefault(source, {})[record.core] = index
        found = []
        for (_, story), candidates in sources.items():
            checking = self._checkings[block.hash, next(iter(candidates.values()))]
            assert checking.me is not None
            found.append(Draw(checking.me, checking.session, story, candidates))
        return tuple(found)

    def _let_go(self, best: BlockNumber, recorded: frozenset[BlockNumber]) -> None:
        """What is past, and approved here, is forgotten."""
        for block in self._blocks.past(best, recorded):
            if self._is_approved(block):
                self._forget_block(block)
                self._out.append(ForgetBlock(block.hash))

    def _finalized(self, block: Hash, number: BlockNumber) -> None:
        """Other forks are over. Of what is final, only unsettled candidates are of interest."""
        for lost in self._blocks.lost_to(block, number):
            self._forget_block(lost)
        self._forget_empty()

    def _forget_block(self, block: CheckedBlock) -> None:
        for place in _places(block):
            self._forget(place)
        self._blocks.forget(block)

    def _forget_empty(self) -> None:
        """Of final blocks, those are followed that have unsettled candidates."""
        for block in self._blocks:
            if block.number <= self._blocks.final and not self._open(block):
                self._forget_block(block)

    def _settled(self, keys: frozenset[CandidateKey]) -> None:
        for key in keys:
            candidate = self._candidates.get(key)
            for place in list(candidate.places if candidate is not None else ()):
                if self._blocks[place[0]].number <= self._blocks.final:
                    self._forget(place)
        self._forget_empty()

    def _forget(self, place: CandidatePlace) -> None:
        checking = self._checkings.pop(place, None)
        if checking is None:
            return
        key = checking.record.key()
        places = self._candidates[key].places
        del places[place]
        if not places:
            del self._candidates[key]
            self._out.append(ForgetCandidate(key))

    # Checkers and checks

    def _assigned(self, place: CandidatePlace, heard: ImportAssignment, now_ms: int) -> None:
        checking = self._checkings.get(place)
        if checking is None:
            return
        validator = heard.assignment.validator_index
        checking.announce(validator, heard.tranche, now_ms)
        checking.proofs.setdefault(validator, heard.assignment)
        self._touch(place)

    def _announced(
        self, place: CandidatePlace, certified: OwnAssignmentCertified, now_ms: int
    ) -> None:
        """Our own assignment can be shown now: tell, and do what was promised."""
        checking, assignment = self._checkings.get(place), certified.assignment
        if checking is None or checking.own is None:
            return
        validator = assignment.validator_index
        checking.announce(validator, checking.own.tranche, now_ms)
        checking.proofs[validator] = assignment
        self._out.append(DistributeAssignment(place[0], place[1], assignment))
        self._touch(place)

    def _approve(self, key: CandidateKey, approval: Approval) -> None:
        candidate = self._candidates[key]
        candidate.approvals[approval.validator_index] = approval
        for place in candidate.places:
            self._touch(place)

    def _noted(self, event: ChecksNoted, now_ms: int) -> None:
        """The chain has verified these checks; what it thinks of them is its own affair."""
        for place in self._fork(event.block):
            checking = self._checkings[place]
            state = event.noted.get(checking.record.key())
            if state is None:
                continue
            for each in state.assigned:
                checking.announce(each.validator, each.tranche, now_ms, each.since)
            approvals = self._candidates[checking.record.key()].approvals
            for validator in state.approved:
                approvals.setdefault(validator, None)
            checking.is_vouched |= checking.record.key() in event.vouched
            self._touch(place)

    def _checked(self, key: CandidateKey, verdict: CheckVerdict, now_ms: int) -> None:
        candidate = self._candidates.get(key)
        if candidate is None:
            return
        checking = next(iter(candidate.places.values()))
        me = next((it.me for it in candidate.places.values() if it.me is not None), None)
        match verdict:
            case CheckVerdict.VALID if me is not None:
                self._out.append(SignApproval(key, me, checking.session))
            case CheckVerdict.VALID:  # the fork is gone on which it was this node's to check
                candidate.check = OwnCheck.NOT_BEGUN
            case CheckVerdict.INVALID:
                candidate.check = OwnCheck.OVER
                self._out.append(DisputeCandidate(key, checking.record))
            case CheckVerdict.UNAVAILABLE | CheckVerdict.UNDECIDED:
                candidate.check = OwnCheck.FAILED
                candidate.again_ms = (
                    now_ms + checking.session.approval.no_show_slots * self._slot_ms
                )
                for place in candidate.places:
                    self._touch(place)

    # How a candidate stands

    def _touch(self, place: CandidatePlace) -> None:
        self._touched[place] = None

    def _look_at(self, place: CandidatePlace, checking: Checking, now_ms: int) -> None:
        key = checking.record.key()
        candidate = self._candidates[key]
        tranche = checking.time.at(now_ms)
        standing = checking.standing(candidate.approvals, now_ms)
        wanted = standing.joins or checking.announced
        if wanted and not checking.certified and checking.own is not None:
            assert checking.me is not None
            checking.announced = checking.certified = True
            story = checking.record.relay_vrf_story
            self._out.append(
                CertifyAssignment(place, checking.me, checking.session, story, checking.own)
            )
        if checking.announced and not checking.told:
            self._pursue(place, checking, candidate, now_ms)
        self._tell(place, checking, candidate, standing, tranche)
        self._set_alarm(place, checking, candidate, standing)

    def _pursue(
        self, place: CandidatePlace, checking: Checking, candidate: CandidateFindings, now_ms: int
    ) -> None:
        """What this node has announced it does, and tells."""
        me, key = checking.me, checking.record.key()
        if me is None or me not in checking.assigned:
            return
        if (mine := candidate.approvals.get(me)) is not None:
            checking.told = True
            self._out.append(DistributeCheck(place[0], place[1], mine))
        elif candidate.check is OwnCheck.NOT_BEGUN or (
            candidate.check is OwnCheck.FAILED and candidate.again_ms <= now_ms
        ):
            candidate.check = OwnCheck.UNDER_WAY
            if me in candidate.approvals:  # the chain has it of an earlier life of ours
                self._out.append(SignApproval(key, me, checking.session))
            else:
                self._out.append(BeginCheck(key, place[0], checking.record))

    def _tell(
        self,
        place: CandidatePlace,
        checking: Checking,
        candidate: CandidateFindings,
        standing: CheckStanding,
        tranche: int,
    ) -> None:
        key = checking.record.key()
        if standing.late > checking.late:
            self._out.append(TellLate(place, key, standing.late - checking.late))
        checking.late = standing.late
        if (standing.is_approved or checking.is_vouched) and not checking.is_approved:
            checking.is_approved = True
            checks = len(checking.counted(candidate.approvals))
            by_third = 3 * checks > len(checking.session.validators)
            self._out.append(TellApproved(place, key, checks, tranche, standing.late, by_third))

    def _set_alarm(
        self,
        place: CandidatePlace,
        checking: Checking,
        candidate: CandidateFindings,
        standing: CheckStanding,
    ) -> None:
        occasions = []
        if standing.due_ms is not None:
            occasions.append(standing.due_ms)
        if checking.announced and candidate.check is OwnCheck.FAILED:
            occasions.append(candidate.again_ms)
        checking.due_ms = min(occasions, default=None)
        if checking.due_ms is not None:
            heappush(self._wake, (checking.due_ms, place))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _hears_until(time: TrancheTime, now_ms: int) -> int:
    """Whoever meets a block after its slot, hears for a slot what others do: after a start, many
    would come at once who are not needed."""
    now = time.at(now_ms)
    return now + time.per_slot if now >= 2 * time.per_slot else 0


def _places(block: CheckedBlock) -> list[CandidatePlace]:
    return [(block.hash, index) for index in range(len(block.candidates))]


def _included(block: CheckedBlock) -> Iterator[CandidatePlace]:
    """The candidates that the block has included itself."""
    return ((block.hash, index) for index in range(block.included))
