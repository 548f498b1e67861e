"""Approval Voting: the driver of the approval machine (D21, D22, D27).

It brings the machine each block whose candidates are not done with, oldest first, what Approval
Distribution hears, and what own draws, checks and signatures give; and it does what the machine
says. Where a head's ancestors were not met (after a start, or on a fork that begins far below), the
head's state says which of them are to be: those that it records. So a start takes as long after a
day without finality as after a minute. After a start it also brings the final candidates that the
chain has not accepted yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import ClassVar

import trio

from parahost.approval.criteria import OwnAssignment, certify, own_assignments
from parahost.consensus.babe.epochs import BabeParameters
from parahost.consensus.grandpa.alarms import Alarms
from parahost.metrics.metric import Counter, Gauge, Reading
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork
from parahost.node.messages.utility import BlockHeader, FinalizedHash, RuntimeApiRequest
from parahost.node.messages.validity import (
    ApprovalsMoved,
    ApprovalsOf,
    ApprovedAncestor,
    CheckCandidate,
    ChecksForChain,
    CheckVerdict,
    DistributeAssignment,
    DistributeCheck,
    DistributeChecksOf,
    ForgetChecksOf,
    ImportAssignment,
    ImportCheck,
    IssueVote,
)
from parahost.node.overseer import Context, Scope, Subsystem
from parahost.node.utility.new_blocks import new_blocks
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
from parahost.node.validity.approval_machine import ApprovalMachine
from parahost.node.validity.chain_checks import as_much_as_fits, checks_for_chain
from parahost.node.validity.checked_block import (
    CheckedBlock,
    checked_block,
    checked_block_of,
    unaccepted_up_to,
)
from parahost.node.validity.followed_blocks import FORKS_WITHIN
from parahost.node.validity.own_checks import OwnChecks
from parahost.node.validity.voting_limit import Ancestry
from parahost.ports import ContradictionRefused, Database, KeyStore, KeyType, promises
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, approval_payload
from parahost.primitives.basic import (
    H512,
    U32,
    BlockNumber,
    CoreIndex,
    Hash,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime import api
from parahost.runtime.parachains.validity import MAX_CHECKED
from parahost.runtime.parachains.windows import CandidateKey

APPROVALS = Counter(
    "polkadot_parachain_approvals_produced_total",
    "Own checks that have ended; with success, and an approval signed, or why not.",
    ("status",),
    (("success",), ("invalid",), ("unavailable",), ("internal error",)),
)
UNAPPROVED = Gauge(
    "polkadot_parachain_approval_unapproved_candidates_in_unfinalized_chain",
    "Candidates in blocks that are not final, without the checks that they need.",
)
_STATUS = {
    CheckVerdict.INVALID: "invalid",
    CheckVerdict.UNAVAILABLE: "unavailable",
    CheckVerdict.UNDECIDED: "internal error",
}
MAX_NOTED = 1024
"""What a new block says of checks is read for so many candidates that are not approved: the oldest,
for which finality waits."""


class ApprovalVoting(Subsystem):
    """Own checks of included candidates, and whether others' suffice."""

    name = "approval-voting"
    receives = (ImportAssignment, ImportCheck, ApprovedAncestor, ChecksForChain, ApprovalsOf)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RuntimeApiRequest,
        BlockHeader,
        FinalizedHash,
        CheckCandidate,
        DistributeChecksOf,
        ForgetChecksOf,
        DistributeAssignment,
        DistributeCheck,
        IssueVote,
        ApprovalsMoved,
    )
    metrics = (APPROVALS, UNAPPROVED)

    def __init__(
        self,
        keystore: KeyStore,
        database: Database,
        parameters: BabeParameters,
        chain: Ancestry,
        finalized: BlockNumber,
    ) -> None:
        """``finalized``: the number of the final block at the start."""
        self._keys = keystore
        self._parameters = parameters
        self._own_checks = OwnChecks(database)
        self._final = finalized
        self._machine = ApprovalMachine(
            int(parameters.slot_duration_ms),
            self._own_index,
            self._own_checks.get,
            chain,
            finalized,
        )
        self._has_recalled = False
        self._walking = trio.Lock()
        self._checks: dict[CandidateKey, Scope] = {}

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._alarms = Alarms(ctx.clock)
        ctx.spawn(None, self._advance, "advance")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf) if self._has_recalled and self._follows(leaf):
                self._meet_leaf(leaf, leaf.header.parent_hash)
            case StartWork(leaf):
                self.ctx.spawn(None, partial(self._walk, leaf), "meet blocks")
            case BlockFinalized(block, number):
                self._final = number
                self._handle(CandidatesFinal(block, number))
                if keys := self._machine.unsettled():
                    self.ctx.spawn(None, partial(self._settle, block, keys), "settle")

    def _follows(self, leaf: ActiveLeaf) -> bool:
        """Whether everything below the leaf is known."""
        return leaf.number <= self._final + 1 or self._machine.knows(leaf.header.parent_hash)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case ImportAssignment() | ImportCheck():
                self._handle(message)
            case ApprovedAncestor(base, target):
                message.reply.answer(self._machine.approved_ancestor(base, target))
            case ChecksForChain():
                self._give_checks(message)
            case ApprovalsOf(session, candidate):
                message.reply.answer(self._machine.approvals((session, candidate)))

    def _give_checks(self, request: ChecksForChain) -> None:
        leaf = self.ctx.leaves.get(request.leaf)
        if leaf is None:
            request.reply.drop()
            return
        slot = self._parameters.slot_at(self.ctx.clock.now())
        known = {it.record.key(): (it, found) for it, found in self._machine.on_fork(leaf.hash)}

        def waiting() -> Iterator[CandidateKey]:
            keys = iter(known)
            while some := tuple(islice(keys, MAX_CHECKED)):
                yield from leaf.read(api.awaiting_checks, some)

        def lacking() -> Iterator[tuple[BlockNumber, SecondaryChecks]]:
            for key in waiting():
                checking, found = known[key]
                noted = leaf.read(api.candidate_checks, key)
                checks = checks_for_chain(checking, found.approvals, noted, slot)
                if checks is not None:
                    yield checking.record.included_in, checks

        request.reply.answer(as_much_as_fits(islice(lacking(), MAX_CHECKED)))

    # Blocks

    def _meet_leaf(self, leaf: ActiveLeaf, below: Hash | None) -> None:
        """A leaf up to which all is known."""
        self._meet(leaf.checked, below)
        self._read_noted(leaf)
        heads = (leaf, *self.ctx.leaves.values())
        best = max(head.number for head in heads)
        recorded = frozenset[BlockNumber]().union(*(head.recorded for head in heads))
        self._handle(BlocksRecorded(best, recorded))

    def _meet(self, block: CheckedBlock, below: Hash | None) -> None:
        """``below``: the next block on the way down that is followed."""
        if not self._machine.follows(block.hash):  # else work on it has begun again
            self.ctx.send(DistributeChecksOf(block, below))
        self._handle(block)

    def _read_noted(self, leaf: ActiveLeaf) -> None:
        """The chain may know of checks that this node has not heard of."""
        fork = self._machine.on_fork(leaf.hash)
        waiting = (it.record.key() for it, _ in fork if not it.is_approved)
        open_ = tuple(islice(dict.fromkeys(waiting), MAX_NOTED))
        if open_:
            noted = {key: leaf.read(api.candidate_checks, key) for key in open_}
            accepted = [key for key, state in noted.items() if state.accepted_in is not None]
            vouched = _vouched_for(leaf) if accepted else frozenset()
            self._handle(ChecksNoted(leaf.hash, noted, vouched.intersection(accepted)))

    async def _walk(self, leaf: ActiveLeaf) -> None:
        """Meet the blocks up to a leaf whose parent is not known. One leaf after the other: what
        comes meanwhile mostly stands on it."""
        async with self._walking:
            if not self._has_recalled:
                await self._recall(leaf)
            below: Hash | None = leaf.header.parent_hash
            if not self._follows(leaf):
                below = await self._meet_recorded(leaf)
            self._meet_leaf(leaf, below)
        self.ctx.send(ApprovalsMoved())

    async def _meet_recorded(self, leaf: ActiveLeaf) -> Hash | None:
        """Meet what the leaf's state records and what is near below it; gives the last of these."""
        recorded = min((n for n in leaf.recorded if n > self._final), default=leaf.number)
        first = max(min(recorded, leaf.number - FORKS_WITHIN), self._final + 1)
        below = None
        for block, header in await new_blocks(
            self.ctx, leaf.hash, leaf.number, self._is_final, leaf.number - first + 1
        ):
            is_near = header.number + FORKS_WITHIN >= leaf.number
            if block == leaf.hash or not (is_near or header.number in leaf.recorded):
                continue
            if is_near or not self._machine.follows(block):
                asked = RuntimeApiRequest(block, checked_block, (block, header))
                self._meet(await self.ctx.ask(asked), below)
            below = block
        return below

    def _is_final(self, _block: Hash, number: BlockNumber) -> bool:
        return number <= self._final

    async def _recall(self, leaf: ActiveLeaf) -> None:
        """After a start: final candidates of which the chain lacks checks still. Nobody speaks of
        them any more, so each validator brings its own checks when it authors."""
        self._has_recalled = True
        for number, candidates in leaf.read(unaccepted_up_to, self._final).items():
            block = await self.ctx.ask(FinalizedHash(number))
            if block is not None:
                self._handle(leaf.read(checked_block_of, block, candidates))

    async def _settle(self, block: Hash, keys: tuple[CandidateKey, ...]) -> None:
        asked = RuntimeApiRequest(block, api.awaiting_checks, (keys,), keep=False)
        waiting = await self.ctx.ask(asked)
        self._handle(CandidatesSettled(frozenset(keys).difference(waiting)))

    # The machine

    def _handle(self, event: ApprovalInput) -> None:
        self._do(self._machine.handle(event, self.ctx.clock.now()))
        self._alarms.ring()

    async def _advance(self) -> None:
        """Look at what is due, as it comes."""
        async with trio.open_nursery() as nursery:
            while True:
                self._do(self._machine.advance(self.ctx.clock.now()))
                due = self._machine.next_due()
                if due is not None:
                    self._alarms.set(nursery, due)
                await self._alarms.rung()

    def _do(self, effects: Sequence[ApprovalEffect]) -> None:
        for effect in effects:
            match effect:
                case DistributeAssignment(block, index, assignment):
                    self._record("approval.assigned", (block, index), assignment.validator_index)
                    self.ctx.send(effect)
                case DistributeCheck(block, index, approval):
                    self._record("approval.checked", (block, index), approval.validator_index)
                    self.ctx.send(effect)
                case DrawAssignments(block, draws):
                    self.ctx.spawn(None, partial(self._draw, block, draws), "draw assignments")
                case CertifyAssignment():
                    self._certify(effect)
                case BeginCheck(key):
                    scope = self._checks.setdefault(key, Scope())
                    self.ctx.spawn(scope, partial(self._check, effect), "check")
                case SignApproval():
                    self._sign(effect)
                case DisputeCandidate(key, candidate):
                    self.ctx.send(IssueVote(key[0], candidate.receipt))
                case ForgetBlock(block):
                    self.ctx.send(ForgetChecksOf(block))
                case ForgetCandidate(key):
                    self._own_checks.forget(key)
                    if (scope_or_none := self._checks.pop(key, None)) is not None:
                        scope_or_none.end()
                case TellApproved():
                    self._tell(effect)
                    self.ctx.send(ApprovalsMoved())
                case TellLate():
                    self._tell(effect)

    # Own assignments, checks and signatures

    def _own_index(self, session: SessionInfo) -> ValidatorIndex | None:
        held = self._keys.public_keys(KeyType.PARACHAIN)
        return next((own for own in map(session.index_of, held) if own is not None), None)

    async def _draw(self, block: Hash, draws: tuple[Draw, ...]) -> None:
        try:
            drawn = await self.ctx.executor.run(partial(draw_all, self._keys, draws))
        except KeyError:  # the key has been taken away
            return
        self._handle(OwnAssignmentsDrawn(block, drawn))

    def _certify(self, wanted: CertifyAssignment) -> None:
        public = wanted.session.validators[wanted.me]
        try:
            cert = certify(self._keys, public, wanted.story, wanted.own)
        except KeyError:
            return
        self._handle(OwnAssignmentCertified(wanted.place, Assignment(wanted.me, cert)))

    async def _check(self, wanted: BeginCheck) -> None:
        candidate = wanted.candidate
        asked = CheckCandidate(
            candidate.receipt, candidate.session, candidate.backers, wanted.block
        )
        try:
            verdict = (await self.ctx.ask(asked)).verdict
        except Unanswered:
            verdict = CheckVerdict.UNDECIDED
        if verdict in _STATUS:
            self.ctx.meter.count(APPROVALS, _STATUS[verdict])
        self._handle(CandidateChecked(wanted.key, verdict))

    def _sign(self, wanted: SignApproval) -> None:
        session, candidate = wanted.key
        public = wanted.session.validators[wanted.me]
        payload = approval_payload(candidate, session)
        promised = [promises.verdict(candidate, valid=True)]
        approval = None
        try:
            signature = self._keys.sign(KeyType.PARACHAIN, public, payload, promised)
        except ContradictionRefused as why:
            self.ctx.journal.record("approval.refused", candidate=candidate, reason=str(why))
        except KeyError:
            pass
        else:
            approval = Approval(wanted.me, ValidatorSignature(H512(signature)))
            self._own_checks.keep(wanted.key, approval)
            self.ctx.meter.count(APPROVALS, "success")
        self._handle(OwnApprovalSigned(wanted.key, approval))

    # What one sees

    def readings(self) -> Iterable[Reading]:
        return (UNAPPROVED.of(self._machine.unapproved),)

    def _record(self, event: str, place: CandidatePlace, validator: ValidatorIndex) -> None:
        record = self._machine.candidate(place)
        self.ctx.journal.record(
            event,
            relay_parent=place[0],
            candidate=record.receipt.hash(),
            para=record.receipt.descriptor.para_id,
            validator=validator,
        )

    def _tell(self, told: TellApproved | TellLate) -> None:
        where = {"relay_parent": told.place[0], "candidate": told.key[1]}
        if isinstance(told, TellLate):
            self.ctx.journal.record("approval.no_shows", **where, late=told.late)
        elif told.checks:
            self.ctx.journal.record(
                "approval.approved",
                **where,
                checks=told.checks,
                tranches=told.waited,
                late=told.late,
                by_third=told.by_third,
            )


def _vouched_for(leaf: ActiveLeaf) -> frozenset[CandidateKey]:
    """The candidates that a supermajority has called valid in a dispute on this fork."""
    disputes = leaf.read(api.disputes)
    return frozenset(key for key, state in disputes if state.outcome is DisputeOutcome.VALID)


def draw_all(keys: KeyStore, draws: Sequence[Draw]) -> dict[int, OwnAssignment]:
    """By candidate of the block.

    :raises KeyError: when a key is not held.
    """
    drawn = {}
    for each in draws:
        cores = {CoreIndex(U32(core)): index for core, index in each.candidates.items()}
        public, session = each.session.validators[each.me], each.session
        for own in own_assignments(
            keys, public, each.story, session.approval, cores=session.cores, candidates=cores
        ):
            drawn[cores[own.core]] = own
    return drawn
