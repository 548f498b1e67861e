"""Disputes as a machine: what happens or the time goes in, effects come out (D23, D25).

No task, no clock, no network, no disk. It knows the candidates that somebody has voted against, and
decides which votes count, what this node checks and says of them, and how far each has come. What a
vote of its own would contradict, the key store refuses to sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from parahost.node.validity.disputes.attempts import Attempts, Rank
from parahost.node.validity.disputes.effects import (
    AnswerVotes,
    AvailableElsewhere,
    CheckDisputed,
    Checked,
    CheckFailed,
    ChecksHeard,
    DisputeEffect,
    DisputeInput,
    DisputeStep,
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
    VotesBrought,
    VotesInBlock,
    VotesVerdict,
)
from parahost.node.validity.disputes.judging import judge
from parahost.node.validity.disputes.losers import Losers
from parahost.node.validity.disputes.participation import PARTICIPATION, rank
from parahost.node.validity.disputes.record import (
    Dispute,
    DisputeRow,
    Testimony,
    VoteForm,
    form_of,
    is_confirmed,
    statement_key,
)
from parahost.node.validity.disputes.spam import SpamSlots
from parahost.ports.verifier import Verifier
from parahost.primitives.availability import byzantine_threshold
from parahost.primitives.basic import U64, CandidateHash, SessionIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    DisputeOutcome,
    DisputeStatementSet,
    SignedDisputeStatement,
)
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.windows import CandidateKey

ReadTestimony = Callable[[CandidateKey], Testimony | None]
"""What blocks say of a candidate, as it was stored."""


class DisputeMachine:
    """One node's part in disputes.

    :param recovered: the disputes that it had saved; what is to be done about them follows when
        their sessions are handed in.
    :param testimony: read when somebody begins to dispute a candidate.
    :param verifier: asked for the statements that peers bring.
    """

    def __init__(
        self, recovered: Iterable[Dispute], *, testimony: ReadTestimony, verifier: Verifier
    ) -> None:
        self._testimony = testimony
        self._verifier = verifier
        self._disputes = {dispute.key: dispute for dispute in recovered}
        self._by_hash: dict[CandidateHash, dict[CandidateKey, None]] = {}
        for dispute in self._disputes.values():
            self._by_hash.setdefault(dispute.candidate, {})[dispute.key] = None
        self._sessions: dict[SessionIndex, SessionJudged] = {}
        self._first = 0
        """What is of sessions before that one has been forgotten since the start."""
        self._spam = SpamSlots()
        self._losers = Losers()
        self._participation = Attempts(PARTICIPATION)
        self._leaning: dict[CandidateKey, None] = {}
        """Those of which it has been told that they are, or become, invalid."""
        self._told: dict[CandidateKey, None] = {}
        """Those of which our own statement has been distributed since the start."""
        self._out: list[DisputeEffect] = []
        self._rows: dict[CandidateKey, DisputeRow] = {}
        self._statements: list[tuple[CandidateKey, SignedDisputeStatement]] = []

    # What others read

    @property
    def disputes(self) -> Mapping[CandidateKey, Dispute]:
        """By key. Some of them nobody disputes yet, but this node is about to."""
        return MappingProxyType(self._disputes)

    @property
    def sessions(self) -> Mapping[SessionIndex, SessionJudged]:
        """Those whose candidates can be disputed."""
        return MappingProxyType(self._sessions)

    def is_confirmed(self, dispute: Dispute) -> bool:
        judged = self._sessions.get(dispute.key[0])
        return judged is not None and is_confirmed(dispute.votes, len(judged.info.validators))

    def is_heard(self, dispute: Dispute) -> bool:
        """Whether anybody has to answer: not when all who dispute it have lost another dispute,
        unless a fork has taken it up, or more have a part in it than may be liars."""
        return dispute.is_taken_up or self._are_heard(dispute.key[0], dispute.votes)

    def is_heard_of_fork(self, key: CandidateKey, there: Votes) -> bool:
        """The same of what a fork waits for, by the votes that it has and what is known besides."""
        known = self._disputes.get(key)
        if known is None:
            return self._are_heard(key[0], there)
        return known.is_taken_up or self._are_heard(key[0], there.union(known.votes))

    def _are_heard(self, session: SessionIndex, votes: Votes) -> bool:
        judged = self._sessions.get(session)
        return (
            judged is None
            or is_confirmed(votes, len(judged.info.validators))
            or judged.own in votes.invalid
            or not votes.invalid <= self._losers.unheard(judged.info)
        )

    def bars(self, candidate: CandidateHash) -> bool:
        """Whether nobody should build on the candidate, or include it: it is found invalid, or may
        be. A vote of a few about what no fork has included bars nothing, or they could bar all."""
        return any(self._bars(self._disputes[key]) for key in self._by_hash.get(candidate, ()))

    def _bars(self, dispute: Dispute) -> bool:
        if dispute.outcome is not None:
            return dispute.outcome is DisputeOutcome.INVALID
        return self._is_worth_it(dispute)

    def _is_worth_it(self, dispute: Dispute) -> bool:
        """Whether it is disputed by more than may be spam."""
        is_known = dispute.is_included or self.is_confirmed(dispute)
        return dispute.is_disputed() and is_known and self.is_heard(dispute)

    # What happens

    def handle(self, event: DisputeInput, now: float) -> Sequence[DisputeEffect]:
        """What follows at once from what has happened."""
        match event:
            case SessionJudged():
                self._on_session(event)
            case SessionsOver(first):
                self._on_sessions_over(first)
            case VotesBrought(receipt, brought):
                self._out.append(AnswerVotes(self._on_brought(receipt, brought, now)))
            case VotesInBlock(key, statements):
                self._on_block(key, statements, now)
            case ChecksHeard(key, statements):
                if (dispute := self._disputes.get(key)) is not None:
                    self._take(dispute, statements)
            case TestimonyGiven(key) | AvailableElsewhere(key):
                if (dispute := self._disputes.get(key)) is not None:
                    dispute.is_included |= isinstance(event, AvailableElsewhere)
                    self._on_known_better(dispute)
            case TakenUp(key):
                dispute = self._disputes.get(key)
                if dispute is not None and not dispute.is_taken_up:
                    dispute.is_taken_up = True
                    self._on_known_better(dispute)
            case CheckFailed(session, receipt):
                self._on_failed_check((session, receipt.hash()), receipt, now)
            case Checked(key, valid):
                self._on_checked(key, valid, now)
            case OwnDisputeVote(key, vote):
                self._on_own_vote(key, vote)
        self._check_next(now)
        return self._given()

    def advance(self, now: float) -> Sequence[DisputeEffect]:
        """What is due now: checks for which there were no data."""
        self._check_next(now)
        return self._given()

    def next_due(self) -> float | None:
        """When to :meth:`advance` at the latest; what is due now it does, or waits for an input."""
        return self._participation.next_due(
            lambda key: key in self._disputes and self._wants_check(self._disputes[key])
        )

    def _given(self) -> Sequence[DisputeEffect]:
        given, self._out = self._out, []
        if self._rows or self._statements:
            given.insert(0, Save(self._rows, tuple(self._statements)))
            self._rows, self._statements = {}, []
        return given

    # Sessions

    def _on_session(self, judged: SessionJudged) -> None:
        session = judged.info.session_index
        if session in self._sessions:
            return
        self._sessions[session] = judged
        for dispute in [each for each in self._disputes.values() if each.key[0] == session]:
            self._on_known_better(dispute)
            self._vote(dispute, judged)

    def _on_sessions_over(self, first: SessionIndex) -> None:
        if first <= self._first:
            return
        self._first = first
        for session in [session for session in self._sessions if session < first]:
            del self._sessions[session]
        for key in [key for key in self._disputes if key[0] < first]:
            self._drop(key)
        self._participation.forget_before(first)
        self._losers.forget(first)
        self._out.append(Forget(first))

    def _drop(self, key: CandidateKey) -> None:
        del self._disputes[key]
        self._tell_leaning(key, towards_invalid=False)
        self._told.pop(key, None)
        self._spam.free(key)
        others = self._by_hash[key[1]]
        del others[key]
        if not others:
            del self._by_hash[key[1]]

    # Votes

    def _on_brought(
        self, receipt: CandidateReceipt, brought: DisputeStatementSet, now: float
    ) -> VotesVerdict:
        key = brought.session, brought.candidate_hash
        judged, dispute = self._sessions.get(key[0]), self._disputes.get(key)
        info = None if judged is None else judged.info
        known = () if dispute is None else dispute.statements.keys()
        verdict = judge(receipt, brought, info, known, self._verifier)
        if dispute is not None and verdict.is_taken:
            self._learn(dispute, receipt)
        if verdict is not VotesVerdict.NEW:
            return verdict
        if not self._admits(key, brought.statements):
            return VotesVerdict.TOO_MANY
        self._take(self._opened(key, receipt, now), brought.statements)
        return verdict

    def _admits(self, key: CandidateKey, statements: Sequence[SignedDisputeStatement]) -> bool:
        """Whether there is room for what is said: there always is where it is no spam."""
        dispute = self._disputes.get(key)
        if dispute is not None:
            return not self._spam.holds(key) or self._may_join(dispute, statements)
        known = self._testimony(key)
        said = Dispute(key, DisputeRow(U64(0), None, None, None))
        said.is_included = known is not None and bool(known.included_in)
        for signed in (*(() if known is None else known.statements), *statements):
            said.add(signed)
        speakers = {validator for _, validator, _ in statements}
        return self._is_worth_it(said) or (
            self._spam.admits(key[0], said.votes.invalid) and self._spam.hears(key, speakers)
        )

    def _may_join(self, dispute: Dispute, statements: Sequence[SignedDisputeStatement]) -> bool:
        """Whether more may be said in an unconfirmed dispute: it is confirmed with that, or
        somebody has room for a part in it."""
        votes, speakers = dispute.votes, set()
        for signed in statements:
            if statement_key(signed) not in dispute.statements:
                votes = votes.including(signed[0], signed[1])
                speakers.add(signed[1])
        validators = len(self._sessions[dispute.key[0]].info.validators)
        return is_confirmed(votes, validators) or self._spam.hears(dispute.key, speakers)

    def _on_block(
        self, key: CandidateKey, statements: Sequence[SignedDisputeStatement], now: float
    ) -> None:
        """The chain limits who begins disputes; only for what is disputed all this matters."""
        against = any(form_of(signed[0]) is VoteForm.INVALID for signed in statements)
        if key[0] in self._sessions and (key in self._disputes or against):
            dispute = self._opened(key, None, now)
            dispute.is_taken_up |= against
            self._take(dispute, statements)

    def _on_known_better(self, dispute: Dispute) -> None:
        """Its session is known now, or a block has said something of it."""
        self._take(dispute, ())

    def _opened(self, key: CandidateKey, receipt: CandidateReceipt | None, now: float) -> Dispute:
        """The dispute of a candidate; a new one knows of no statement yet."""
        dispute = self._disputes.get(key)
        if dispute is None:
            row = DisputeRow(U64(int(now * 1000)), receipt, None, None)
            dispute = self._disputes[key] = Dispute(key, row)
            self._by_hash.setdefault(key[1], {})[key] = None
            self._rows[key] = row
        return dispute

    def _complete(self, dispute: Dispute) -> None:
        """Add what blocks say of the candidate."""
        known = self._testimony(dispute.key)
        if known is None:
            return
        dispute.is_included |= bool(known.included_in)
        self._learn(dispute, known.receipt)
        self._add(dispute, known.statements)

    def _learn(self, dispute: Dispute, receipt: CandidateReceipt) -> None:
        if dispute.receipt is None:
            self._amend(dispute, replace(dispute.row, receipt=receipt))

    def _take(self, dispute: Dispute, statements: Iterable[SignedDisputeStatement]) -> None:
        """Add what blocks say, and statements that are known to be signed; see what follows."""
        before = dispute.votes
        self._complete(dispute)
        self._add(dispute, statements)
        self._move_on(dispute, before)

    def _add(self, dispute: Dispute, statements: Iterable[SignedDisputeStatement]) -> None:
        self._statements += [(dispute.key, signed) for signed in statements if dispute.add(signed)]

    def _amend(self, dispute: Dispute, row: DisputeRow) -> None:
        dispute.row = self._rows[dispute.key] = row

    # How far it has come

    def _move_on(self, dispute: Dispute, before: Votes) -> None:
        """Draw the consequences of what was added to the votes of ``before``."""
        judged = self._sessions.get(dispute.key[0])
        if judged is None or not dispute.is_disputed():
            return
        validators = len(judged.info.validators)
        for step in self._steps(dispute, before, validators):
            self._out.append(step)
        if dispute.outcome is None and (found := dispute.votes.outcome(validators)) is not None:
            self._amend(dispute, replace(dispute.row, outcome=found))
            self._out.append(TellStep(dispute.key, DisputeStep.CONCLUDED, found))
        self._note_spam(dispute)
        self._tell_own(dispute, judged)
        if self._losers.note(judged.info, dispute.votes, dispute.outcome):
            self._hear_others(dispute)
        self._tell_leaning(dispute.key, self._leans_to_invalid(dispute, validators))

    def _hear_others(self, concluded: Dispute) -> None:
        """Of those who have lost, the worst are not heard: so others may be again."""
        for dispute in self._disputes.values():
            judged = self._sessions.get(dispute.key[0])
            if dispute is not concluded and judged is not None:
                self._tell_own(dispute, judged)

    def _steps(self, dispute: Dispute, before: Votes, validators: int) -> Iterator[DisputeEffect]:
        key, votes = dispute.key, dispute.votes
        if not before.invalid:
            before = Votes()  # what was said before anybody disputed it becomes votes now
            yield TellStep(key, DisputeStep.BEGUN)
        for validator in sorted(votes.invalid - before.invalid):
            yield TellVote(key, validator, valid=False)
        for validator in sorted(votes.valid - before.valid):
            yield TellVote(key, validator, valid=True)
        for validator in sorted(votes.both_ways - before.both_ways):
            yield TellBothWays(key, validator)
        if is_confirmed(votes, validators) and not is_confirmed(before, validators):
            yield TellStep(key, DisputeStep.CONFIRMED)

    def _note_spam(self, dispute: Dispute) -> None:
        has_part = bool(self._own_statements(dispute)) and self.is_heard(dispute)
        if has_part or self._is_worth_it(dispute):
            self._spam.free(dispute.key)
        else:
            self._spam.hold(dispute.key, dispute.votes)

    def _tell_own(self, dispute: Dispute, judged: SessionJudged) -> None:
        """Once since the start, when there is somebody to contradict."""
        own, receipt = self._own_statements(dispute), dispute.receipt
        if not own or receipt is None or dispute.key in self._told or not self.is_heard(dispute):
            return
        said = own[-1]
        others = dispute.in_favour() if form_of(said[0]) is VoteForm.INVALID else dispute.against()
        contrary = next(others, None)
        if contrary is not None:
            session, candidate = dispute.key
            self._told[dispute.key] = None
            both = DisputeStatementSet(candidate, session, (said, contrary))
            self._out.append(Distribute(receipt, both))

    def leans_to_invalid(self, key: CandidateKey) -> bool:
        """Whether the candidate is, or becomes, invalid, as it was told last."""
        return key in self._leaning

    def _leans_to_invalid(self, dispute: Dispute, validators: int) -> bool:
        """Whether this node has found it invalid, or somebody honest has; and no supermajority says
        the contrary."""
        if dispute.outcome is not None:
            return dispute.outcome is DisputeOutcome.INVALID
        against = dispute.votes.invalid
        return self._own(dispute) in against or len(against) > byzantine_threshold(validators)

    def _tell_leaning(self, key: CandidateKey, towards_invalid: bool) -> None:
        if towards_invalid == (key in self._leaning):
            return
        if towards_invalid:
            self._leaning[key] = None
        else:
            del self._leaning[key]
        self._out.append(TellLeaning(key, towards_invalid))

    # This node's part

    def _own(self, dispute: Dispute) -> ValidatorIndex | None:
        judged = self._sessions.get(dispute.key[0])
        return None if judged is None else judged.own

    def _own_statements(self, dispute: Dispute) -> list[SignedDisputeStatement]:
        own = self._own(dispute)
        return [] if own is None else dispute.of(own)

    def _may_speak(self, dispute: Dispute) -> bool:
        """Whether this node is of the session, and has said nothing yet."""
        return (
            self._own(dispute) is not None
            and dispute.row.decided is None
            and not self._own_statements(dispute)
        )

    def _wanting_check(self) -> Iterator[tuple[Rank, CandidateKey]]:
        for dispute in self._disputes.values():
            if self._wants_check(dispute):
                yield rank(dispute, confirmed=self.is_confirmed(dispute)), dispute.key

    def _wants_check(self, dispute: Dispute) -> bool:
        is_known = dispute.receipt is not None
        return is_known and self._may_speak(dispute) and self._is_worth_it(dispute)

    def _check_next(self, now: float) -> None:
        while (key := self._participation.take(self._wanting_check(), now)) is not None:
            receipt = self._disputes[key].receipt
            assert receipt is not None, "without it there is nothing to check"
            self._out.append(CheckDisputed(key, receipt))

    def _on_checked(self, key: CandidateKey, valid: bool | None, now: float) -> None:
        dispute = self._disputes.get(key)
        self._participation.ended(key, now, found=valid is not None or dispute is None)
        if dispute is not None and valid is not None:
            self._decide(dispute, valid=valid)

    def _on_failed_check(self, key: CandidateKey, receipt: CandidateReceipt, now: float) -> None:
        judged = self._sessions.get(key[0])
        if judged is not None and judged.own is not None:
            dispute = self._opened(key, receipt, now)
            self._learn(dispute, receipt)
            self._take(dispute, ())
            self._decide(dispute, valid=False)

    def _decide(self, dispute: Dispute, *, valid: bool) -> None:
        """Once and for all: what is decided is on disk before it is signed."""
        if self._may_speak(dispute):
            self._amend(dispute, replace(dispute.row, decided=valid))
            self._vote(dispute, self._sessions[dispute.key[0]])

    def _vote(self, dispute: Dispute, judged: SessionJudged) -> None:
        """Have the vote signed that was decided on, unless it is out."""
        own, valid = judged.own, dispute.row.decided
        if own is not None and valid is not None and not self._own_statements(dispute):
            self._out.append(SignDisputeVote(dispute.key, own, judged.info.validators[own], valid))

    def _on_own_vote(self, key: CandidateKey, vote: SignedDisputeStatement | None) -> None:
        dispute = self._disputes.get(key)
        if dispute is None:
            return
        if vote is None:
            self._out.append(TellVoiceless(key))
        else:
            self._take(dispute, [vote])
