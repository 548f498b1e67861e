"""The Dispute Coordinator: the driver of the disputes' machine in a node (D23, D25).

It reads what blocks say, keeps the machine's votes on disk, signs its votes and has candidates
checked; and it answers those who must not build on what is disputed, and those who bring votes to
the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.availability import ObtainChunk, QueryChunk
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork
from parahost.node.messages.utility import (
    BlockExtrinsics,
    BlockHeader,
    DisputeSettled,
    RuntimeApiRequest,
)
from parahost.node.messages.validity import (
    ApprovalsOf,
    BarredCandidates,
    BlockCandidates,
    ChainDisputes,
    CheckCandidate,
    CheckVerdict,
    DisputeMoved,
    DisputesForChain,
    DistributeHolder,
    DistributeVotes,
    ImportHolders,
    ImportVotes,
    IssueVote,
    UndisputedChain,
)
from parahost.node.overseer import Context, Scope, Subsystem
from parahost.node.session import own_index
from parahost.node.utility.new_blocks import new_blocks
from parahost.node.utility.runtime_of import runtime_of
from parahost.node.validity.disputes.block_votes import BlockVotes, read_block
from parahost.node.validity.disputes.effects import (
    AnswerVotes,
    AvailableElsewhere,
    CheckDisputed,
    Checked,
    CheckFailed,
    ChecksHeard,
    DisputeEffect,
    DisputeInput,
    Distribute,
    Forget,
    OwnDisputeVote,
    Save,
    SessionJudged,
    SessionsOver,
    SignDisputeVote,
    TakenUp,
    TellBothWays,
    TellLeaning,
    TellStep,
    TellVoiceless,
    TellVote,
    TestimonyGiven,
    VotesInBlock,
    VotesVerdict,
)
from parahost.node.validity.disputes.fork import ForkView, votes_for_fork
from parahost.node.validity.disputes.holders import Holders
from parahost.node.validity.disputes.machine import DisputeMachine
from parahost.node.validity.disputes.own_chunks import OwnChunks
from parahost.node.validity.disputes.record import Dispute
from parahost.node.validity.disputes.remote import RemoteDisputing
from parahost.node.validity.disputes.sessions import JudgedSessions
from parahost.node.validity.disputes.store import DisputeStore
from parahost.node.validity.disputes.verdict_time import VerdictTime
from parahost.node.validity.disputes.wire import TakeHolder
from parahost.ports import ContradictionRefused, Database, KeyStore, KeyType, Verifier, promises
from parahost.primitives.basic import (
    H512,
    ChunkIndex,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import (
    ApprovalChecking,
    DisputeStatementSet,
    ExplicitInvalidVote,
    ExplicitVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
    dispute_payload,
)
from parahost.primitives.header import Header
from parahost.primitives.remote_disputes import availability_payload
from parahost.runtime import api
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.remote_disputes import RemoteState
from parahost.runtime.parachains.windows import CandidateKey

MAX_READ_BACK = 2048
"""Blocks that are read back from a leaf at most: those that are not final, after a start."""

DisputeNews = TellStep | TellVote | TellBothWays | TellVoiceless

_VERDICTS = {CheckVerdict.VALID: True, CheckVerdict.INVALID: False}


class DisputeCoordinator(Subsystem):
    """Drives one machine. A node does nothing here as long as it holds no validator's
    key."""

    name = "dispute-coordinator"
    receives = (
        IssueVote,
        ImportVotes,
        ImportHolders,
        DisputesForChain,
        UndisputedChain,
        BarredCandidates,
    )
    sends: ClassVar[tuple[type[Message], ...]] = (
        BlockHeader,
        BlockExtrinsics,
        RuntimeApiRequest,
        QueryChunk,
        ApprovalsOf,
        ObtainChunk,
        CheckCandidate,
        DistributeVotes,
        DistributeHolder,
        DisputeMoved,
        DisputeSettled,
    )

    def __init__(
        self, database: Database, keys: KeyStore, verifier: Verifier, remote: RemoteDisputing
    ) -> None:
        self._remote = remote
        self._store = DisputeStore(database)
        self._keys = keys
        self._machine = DisputeMachine(
            self._store.disputes(), testimony=self._store.testimony, verifier=verifier
        )
        self._sessions = JudgedSessions()
        self._holders = Holders(self._store, verifier)
        self._own_chunks = OwnChunks()
        self._verdict_time = VerdictTime()
        self._scopes: dict[SessionIndex, Scope] = {}
        """Of each session that is judged, what is done for its candidates."""
        self._alarm: float | None = None

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        for key in self._machine.disputes:
            self._tell_moved(key)

    def _tell_moved(self, key: CandidateKey) -> None:
        self.ctx.send(DisputeMoved(*key, self._machine.leans_to_invalid(key)))

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if not self._keys.public_keys(KeyType.PARACHAIN):
            return
        match signal:
            case StartWork(leaf):
                self._learn_sessions(leaf)
                self._learn_remote(leaf)
                self._learn_taken_up(leaf)
                self._tell_settled(leaf)
                self.ctx.spawn(leaf.hash, partial(self._read_blocks, leaf), "read disputes")
                self.ctx.spawn(leaf.hash, partial(self._dispute_remotely, leaf), "dispute remotely")
            case BlockFinalized(_, number):
                self._store.read_up_to(number)
            case _:
                pass

    def _learn_sessions(self, leaf: ActiveLeaf) -> None:
        """Which sessions are judged on this leaf; and which on none any more."""
        for info in self._sessions.learn(leaf):
            self._scopes[info.session_index] = Scope()
            self._take(SessionJudged(info, own_index(info.validators, self._keys)))
        first = self._sessions.forget(self.ctx.leaves)
        for session in [each for each in self._scopes if each < first]:
            self._scopes.pop(session).end()
        self._own_chunks.forget(first)
        self._verdict_time.forget(first)
        self._take(SessionsOver(first))

    def _learn_remote(self, leaf: ActiveLeaf) -> None:
        """What is disputed there from other forks: of what is not known to be available, say
        whether we hold our chunk; what is, is as good as included."""
        for key in self._holders.learn(leaf, self.ctx.leaves):
            scope = self._scopes.get(key[0])
            if scope is not None:
                self.ctx.spawn(scope, partial(self._say_held, key), "say what we hold")
        self._own_chunks.asked(set(filter(self._is_worth_getting, self._holders.asked())))
        for record in leaf.read(api.remote_candidates):
            self._take(AvailableElsewhere(record.key()))

    def _learn_taken_up(self, leaf: ActiveLeaf) -> None:
        """Which of the disputes of an earlier life this fork goes on with."""
        known = self._machine.disputes
        if any(not each.is_taken_up for each in known.values()):
            for key, state in leaf.read(api.disputes):
                if key in known and state.outcome is None:
                    self._take(TakenUp(key))

    def _tell_settled(self, leaf: ActiveLeaf) -> None:
        """Which disputes take no more votes there."""
        if self._machine.disputes:
            for key, state in self._verdict_time.closed(leaf.read(api.disputes)):
                assert state.outcome is not None, "what is undecided has no verdict"
                votes, validators = Votes.of(state), len(state.backers)
                self.ctx.send(DisputeSettled(*key, state.outcome, votes, validators))

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case IssueVote(session, receipt):
                self._take(CheckFailed(session, receipt))
            case ImportVotes(brought):
                message.reply.answer(self._take_all(brought))
            case ImportHolders(holders):
                message.reply.answer(self._take_holders(holders))
            case DisputesForChain():
                self._provide(message)
            case UndisputedChain(base, blocks):
                message.reply.answer(self._undisputed(base, blocks))
            case BarredCandidates(candidates):
                message.reply.answer(frozenset(filter(self._machine.bars, candidates)))
            case _:
                pass

    def _take_holders(self, holders: Iterable[TakeHolder]) -> tuple[VotesVerdict, ...]:
        return tuple(self._holders.take(each, self._sessions.infos) for each in holders)

    def _undisputed(self, base: Hash, blocks: Sequence[BlockCandidates]) -> Hash:
        last = base
        for each in blocks:
            if any(map(self._machine.bars, each.candidates)):
                break
            last = each.block
        return last

    def _provide(self, request: DisputesForChain) -> None:
        leaf = self.ctx.leaves.get(request.relay_parent)
        if leaf is None:
            request.reply.drop()
        else:
            held = self._holders.lacking(leaf.hash)
            request.reply.answer(ChainDisputes(self._votes_for(leaf), held))

    def _votes_for(self, leaf: ActiveLeaf) -> tuple[DisputeStatementSet, ...]:
        disputes, sessions = self._machine.disputes, self._machine.sessions
        if not disputes:
            return ()
        first = leaf.read(api.earliest_judged_session)
        current = leaf.session.signing.session_index
        included = {}
        for record in leaf.read(api.included_candidates):
            if (key := record.key()) in disputes:
                approved = leaf.read(api.candidate_checks, key).approved
                backers = frozenset(record.backers)
                included[key] = Votes(valid=backers.union(approved), backers=backers)
        fork = ForkView(
            {at: each.info for at, each in sessions.items() if first <= at <= current},
            dict(leaf.read(api.disputes)),
            included,
            partial(leaf.read, api.may_dispute),
        )
        return votes_for_fork(filter(self._machine.is_heard, disputes.values()), fork)

    # Jobs

    async def _read_blocks(self, leaf: ActiveLeaf) -> None:
        """Take account of the blocks up to a leaf that nobody has read yet."""
        found = await new_blocks(
            self.ctx, leaf.hash, leaf.number, self._store.has_read, MAX_READ_BACK
        )
        for block, header in found:
            said = await self._read_block(block, header)
            if said is not None and not self._store.has_read(block, header.number):
                self._hear(said)
                self._store.mark_read(block, header.number)

    async def _read_block(self, block: Hash, header: Header) -> BlockVotes | None:
        """What a block says; ``None`` when there is nothing to read of it, or not any more."""
        body = await self.ctx.ask(BlockExtrinsics(block))
        if body is None or header.number == 0:
            return None
        events = await runtime_of(self.ctx, block, api.candidate_events)
        session = await runtime_of(self.ctx, header.parent_hash, api.session_index_for_child)
        info = await runtime_of(self.ctx, block, api.session_info, session)
        if info is None:
            return None
        read = partial(read_block, block, header.number, body, events, info)
        return await self.ctx.executor.run(read)

    def _hear(self, said: BlockVotes) -> None:
        self._store.note(said.testimony, said.votes)
        known = self._machine.disputes
        inputs: list[DisputeInput] = [TestimonyGiven(key) for key in said.testimony if key in known]
        inputs += [VotesInBlock(key, statements) for key, statements in said.votes]
        inputs += said.brought
        self._take_all(inputs)

    async def _hear_checks(self, key: CandidateKey) -> None:
        """Whoever has checked the candidate has voted for it, though no block may ever say so."""
        approvals = await self.ctx.ask(ApprovalsOf(*key))
        checked = VoteValid(ApprovalChecking())
        heard = tuple((checked, each.validator_index, each.signature) for each in approvals)
        self._take(ChecksHeard(key, heard))

    async def _check_candidate(self, effect: CheckDisputed) -> None:
        key, receipt = effect.key, effect.receipt
        dispute, known = self._machine.disputes[key], self._store.testimony(key)
        blocks = list(self.ctx.leaves)
        if known is not None:
            blocks += [each.block for each in known.included_in]
        valid = None
        if blocks:
            backers = tuple(sorted(dispute.votes.backers))
            with suppress(Unanswered):
                outcome = await self.ctx.ask(
                    CheckCandidate(receipt, key[0], backers, known_at=blocks[-1], is_disputed=True)
                )
                valid = _VERDICTS.get(outcome.verdict)
        self._take(Checked(key, valid))

    async def _say_held(self, key: CandidateKey) -> None:
        """Say that we hold our chunk of the candidate, unless it has been said; if we do not hold
        it, get it."""
        own = self._own_in(key[0])
        if own is None or any(validator == own for validator, _ in self._store.holders(key)):
            return
        kept = await self.ctx.ask(QueryChunk(key[1], ChunkIndex(own)))
        asked = self._holders.asked().get(key)
        if kept is not None:
            self._say(key, own)
        elif asked is not None and self._is_worth_getting(key):
            assert asked.times_out_at is not None, "nobody asks without an end"
            known = self._store.testimony(key)
            is_included = known is not None and bool(known.included_in)
            self._own_chunks.lacks(key, asked.times_out_at, is_included=is_included)
            self._obtain_next()

    def _is_worth_getting(self, key: CandidateKey) -> bool:
        """What only those dispute who have lost another dispute nobody looks for."""
        there = Votes.of(self._holders.asked()[key].dispute)
        return self._machine.is_heard_of_fork(key, there)

    def _own_in(self, session: SessionIndex) -> ValidatorIndex | None:
        return own_index(self._sessions.infos[session].validators, self._keys)

    def _say(self, key: CandidateKey, own: ValidatorIndex) -> None:
        public = self._sessions.infos[key[0]].validators[own]
        payload = availability_payload(key[1], key[0])
        made = self._keys.sign(KeyType.PARACHAIN, public, payload, [])
        held = TakeHolder(*key, own, ValidatorSignature(H512(made)))
        if self._holders.take(held, self._sessions.infos) is VotesVerdict.NEW:
            self.ctx.send(DistributeHolder(*key, own, held.signature))

    def _obtain_next(self) -> None:
        while (key := self._own_chunks.take(self.ctx.clock.now())) is not None:
            job = partial(self._obtain, key, self._holders.asked()[key])
            self.ctx.spawn(self._scopes[key[0]], job, "obtain own chunk")

    async def _obtain(self, key: CandidateKey, asked: RemoteState) -> None:
        own = self._own_in(key[0])
        assert own is not None, "who is none of the session lacks no chunk"
        validators = self._sessions.infos[key[0]].validators
        backers = tuple(sorted(Votes.of(asked.dispute).backers))
        found = False
        with suppress(Unanswered):
            found = await self.ctx.ask(ObtainChunk(asked.receipt, validators, backers, own))
        self._own_chunks.ended(key, self.ctx.clock.now(), found=found)
        if found:
            self._say(key, own)
        self._obtain_next()

    async def _dispute_remotely(self, leaf: ActiveLeaf) -> None:
        """Bring to this fork what this node disputes on others, and nobody has decided (A59)."""
        own = [each for each in self._machine.disputes.values() if self._disputes_itself(each)]
        for dispute in self._remote.lacked(leaf, own):
            known = self._store.testimony(dispute.key)
            if known is None or not known.included_in:
                continue
            included = known.included_in[-1]
            header = await self.ctx.ask(BlockHeader(included.block))
            wanted = known.receipt.descriptor.validation_code_hash
            code = leaf.read(api.validation_code_by_hash, wanted)
            foreign = None
            if code is None:
                foreign = await runtime_of(
                    self.ctx, included.block, api.validation_code_by_hash, wanted
                )
            if header is not None and (code is not None or foreign is not None):
                self._remote.bring(leaf, dispute, included, header, foreign)
                return

    def _disputes_itself(self, dispute: Dispute) -> bool:
        """Whether it is undecided, and this node has voted against it."""
        judged = self._machine.sessions.get(dispute.key[0])
        if judged is None or dispute.outcome is not None:
            return False
        return judged.own in dispute.votes.invalid

    async def _wake(self, at: float) -> None:
        await self.ctx.clock.sleep(max(at - self.ctx.clock.now(), 0.0))
        if self._alarm == at:
            self._alarm = None
        self._do(self._machine.advance(self.ctx.clock.now()))

    # What the machine says

    def _take(self, event: DisputeInput) -> None:
        self._take_all((event,))

    def _take_all(self, events: Iterable[DisputeInput]) -> tuple[VotesVerdict, ...]:
        """Hand inputs in, and do what follows from all of them: with one write, so that many votes
        cost no more than one. Gives the verdicts on what was brought."""
        now = self.ctx.clock.now()
        effects = [effect for event in events for effect in self._machine.handle(event, now)]
        self._do(effects)
        return tuple(effect.verdict for effect in effects if isinstance(effect, AnswerVotes))

    def _do(self, effects: Sequence[DisputeEffect]) -> None:
        self._store.save(effect for effect in effects if isinstance(effect, Save))
        for effect in effects:
            match effect:
                case Save() | AnswerVotes():
                    pass  # is done, is given
                case Forget(first):
                    self._store.forget(first)
                case CheckDisputed(key):
                    job = partial(self._check_candidate, effect)
                    self.ctx.spawn(self._scopes[key[0]], job, "check disputed candidate")
                case SignDisputeVote(key):
                    self._take(OwnDisputeVote(key, self._sign(effect)))
                case Distribute(receipt, statements):
                    self.ctx.send(DistributeVotes(receipt, statements))
                case TellLeaning((session, candidate), towards_invalid):
                    self.ctx.send(DisputeMoved(session, candidate, towards_invalid))
                case TellStep(key):
                    self._tell(effect)
                    self._tell_moved(key)
                    job = partial(self._hear_checks, key)
                    self.ctx.spawn(self._scopes[key[0]], job, "hear checks of what is disputed")
                case TellVote() | TellBothWays() | TellVoiceless():
                    self._tell(effect)
        self._set_alarm()

    def _set_alarm(self) -> None:
        due = self._machine.next_due()
        if due is not None and (self._alarm is None or due < self._alarm):
            self._alarm = due
            self.ctx.spawn(None, partial(self._wake, due), "check disputed candidates again")

    def _sign(self, wanted: SignDisputeVote) -> SignedDisputeStatement | None:
        (session, candidate), valid = wanted.key, wanted.valid
        try:
            made = self._keys.sign(
                KeyType.PARACHAIN,
                wanted.public,
                dispute_payload(candidate, session, valid=valid),
                [promises.verdict(candidate, valid=valid)],
            )
        except ContradictionRefused:
            return None
        kind = VoteValid(ExplicitVote()) if valid else VoteInvalid(ExplicitInvalidVote())
        return kind, wanted.validator, ValidatorSignature(H512(made))

    def _tell(self, told: DisputeNews) -> None:
        """Write it down."""
        match told:
            case TellStep(key, step, outcome):
                fields = {} if outcome is None else {"outcome": outcome.name.lower()}
                self._record(f"dispute.{step.value}", key, **fields)
            case TellVote(key, validator, valid):
                self._record("dispute.vote", key, validator=validator, valid=valid)
            case TellBothWays(key, validator):
                self._record("dispute.both_ways", key, validator=validator)
            case TellVoiceless(key):
                self._record("dispute.voiceless", key)

    def _record(self, event: str, key: CandidateKey, **fields: object) -> None:
        session, candidate = key
        self.ctx.journal.record(event, candidate=candidate, session=session, **fields)
