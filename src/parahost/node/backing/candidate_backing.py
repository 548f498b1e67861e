"""Candidate Backing: judges candidates, signs statements, and counts everybody's (A72-A80).

It vouches for nothing that is disputed, or made on what is: no author would bring it, and on the
fork that goes on its para's head may be another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

import trio

from parahost.metrics.metric import Counter
from parahost.node.backing.assignments import Basis, ParaAssignment
from parahost.node.backing.statement_table import StatementTable, Taken
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.availability import QueryPoV, StoreAvailableData, Stored
from parahost.node.messages.backing import (
    CollationInvalid,
    CollationSeconded,
    CollationUndecided,
    DistributePoV,
    FetchPoV,
    RegisterBackingWatcher,
    Second,
    Share,
    StatementReceived,
)
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateUndecided,
    ProvisionBackable,
    ReportMisbehavior,
    ValidateCandidate,
)
from parahost.node.messages.validity import BarredCandidates
from parahost.node.overseer import Subsystem
from parahost.ports import (
    ContradictionRefused,
    ExecutionKind,
    KeyStore,
    KeyType,
    Promise,
    promises,
)
from parahost.primitives.basic import (
    H512,
    CandidateHash,
    Hash,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import (
    AvailableData,
    CommittedCandidateReceipt,
    PoV,
)
from parahost.primitives.statements import (
    BackedCandidate,
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Statement,
    Valid,
    statement_payload,
)


def statement_promises(relay_parent: Hash, statement: Statement) -> list[Promise]:
    """What a statement binds its author to (A77, D16): one statement about each candidate and one
    verdict on it, and one candidate seconded per relay parent."""
    candidate = statement.candidate_hash()
    bound = [
        promises.statement(relay_parent, candidate),
        promises.verdict(candidate, valid=not isinstance(statement, Invalid)),
    ]
    return [promises.seconded(relay_parent), *bound] if isinstance(statement, Seconded) else bound


SIGNED = Counter(
    "polkadot_parachain_candidate_backing_signed_statements_total",
    "Statements on candidates that this validator has signed.",
)
SECONDED = Counter(
    "polkadot_parachain_candidate_backing_candidates_seconded_total",
    "Candidates that this validator has seconded.",
)


class Judgement(Enum):
    """What we think of a candidate (D14). Undecided signs nothing."""

    VALID = "valid"
    INVALID = "invalid"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Duty:
    """What this node judges at a relay parent, and as whom (A73)."""

    own: ValidatorIndex
    key: ValidatorId
    validators: int
    signing: SigningContext
    assignment: ParaAssignment
    basis: Basis
    disabled: frozenset[ValidatorIndex]
    """Whose candidates are nobody's work: the chain takes no vote of theirs, and they may have
    nothing left to lose."""


@dataclass(slots=True)
class BackingJob:
    """The work on one relay parent (A72). ``duty`` is ``None`` when there is nothing for us to
    judge."""

    relay_parent: Hash
    table: StatementTable
    duty: Duty | None
    watchers: list[Callable[[BackedCandidate], None]] = field(default_factory=list)
    backable: list[BackedCandidate] = field(default_factory=list)
    checking: dict[CandidateHash, None] = field(default_factory=dict)
    """Candidates of others that we judge or have judged."""
    stated: dict[CandidateHash, type[Statement]] = field(default_factory=dict)
    """What we said of which candidate, be it before a restart."""

    def has_seen(self, candidate: CandidateHash) -> bool:
        return candidate in self.checking or candidate in self.stated

    def has_seconded(self) -> bool:
        return Seconded in self.stated.values()


class CandidateBacking(Subsystem):
    """One job per relay parent."""

    name = "candidate-backing"
    receives = (Second, StatementReceived, RegisterBackingWatcher)
    sends: ClassVar[tuple[type[Message], ...]] = (
        FetchPoV,
        QueryPoV,
        ValidateCandidate,
        BarredCandidates,
        StoreAvailableData,
        DistributePoV,
        Share,
        ProvisionBackable,
        ReportMisbehavior,
        CollationInvalid,
        CollationSeconded,
        CollationUndecided,
    )
    metrics = (SIGNED, SECONDED)

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._jobs: dict[Hash, BackingJob] = {}

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                table = StatementTable(leaf.session.signing, leaf.assignments.group, leaf.disabled)
                self._jobs[leaf.hash] = BackingJob(leaf.hash, table, self._duty(leaf))
            case StopWork(relay_parent):
                self._jobs.pop(relay_parent, None)

    def _duty(self, leaf: ActiveLeaf) -> Duty | None:
        session = leaf.session
        own = session.own_index(self._keys)
        assignment = None if own is None else leaf.assignments.of(own)
        basis = None if assignment is None else leaf.basis(assignment)
        if own is None or assignment is None or basis is None or own in leaf.disabled:
            return None
        validators = session.validators
        return Duty(
            own,
            validators[own],
            len(validators),
            session.signing,
            assignment,
            basis,
            leaf.disabled,
        )

    # Handlers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, Second | StatementReceived | RegisterBackingWatcher)
        job = self._jobs.get(message.relay_parent)
        if job is None:
            return
        match message:
            case Second(_, candidate, pov):
                self._on_second(job, candidate, pov)
            case StatementReceived(_, signed):
                self._on_statement(job, signed)
            case RegisterBackingWatcher(_, watcher):
                job.watchers.append(watcher)
                for backed in job.backable:
                    watcher(backed)

    def _on_second(self, job: BackingJob, candidate: CommittedCandidateReceipt, pov: PoV) -> None:
        duty = job.duty
        if duty is None:
            why = "this validator has nothing to judge on that relay parent"
            self.ctx.send(CollationUndecided(job.relay_parent, candidate.to_plain(), why))
            return
        misfit = duty.assignment.misfit(job.relay_parent, candidate.descriptor)
        if misfit is not None:
            self._record(job, "backing.misfit", candidate, reason=misfit)
            self.ctx.send(CollationInvalid(job.relay_parent, candidate.to_plain(), misfit))
            return
        self.ctx.spawn(
            job.relay_parent, lambda: self._second(job, duty, candidate, pov), "second candidate"
        )

    def _on_statement(self, job: BackingJob, signed: SignedStatement) -> None:
        statement, duty = signed.statement, job.duty
        if self._count(job, signed) is not Taken.NEW or duty is None:
            return
        about = statement.candidate_hash()
        if signed.validator_index == duty.own:
            job.stated.setdefault(about, type(statement))
            self.ctx.spawn(
                job.relay_parent, lambda: self._serve_again(job, duty, about), "serve PoV"
            )
        elif (
            isinstance(statement, Seconded)
            and signed.validator_index not in duty.disabled
            and not job.has_seen(about)
        ):
            candidate = statement.candidate
            misfit = duty.assignment.misfit(job.relay_parent, candidate.descriptor)
            if misfit is None:
                job.checking[about] = None
                self.ctx.spawn(
                    job.relay_parent, lambda: self._check(job, duty, candidate), "check candidate"
                )

    # Jobs: a candidate that our Candidate Selection recommends

    async def _second(
        self, job: BackingJob, duty: Duty, candidate: CommittedCandidateReceipt, pov: PoV
    ) -> None:
        """Validate it and second it; tell Candidate Selection how it went (A77, A79)."""
        receipt = candidate.to_plain()
        judgement, reason = await self._judge(job, duty, candidate, pov)
        if judgement is Judgement.INVALID:
            self.ctx.send(CollationInvalid(job.relay_parent, receipt, reason))
        elif judgement is Judgement.UNDECIDED:
            self.ctx.send(CollationUndecided(job.relay_parent, receipt, reason))
        elif self._put_forward(job, duty, candidate):
            self.ctx.send(CollationSeconded(job.relay_parent, receipt))
        else:
            why = "this validator has put another candidate forward"
            self.ctx.send(CollationUndecided(job.relay_parent, receipt, why))

    def _put_forward(
        self, job: BackingJob, duty: Duty, candidate: CommittedCandidateReceipt
    ) -> bool:
        """Second a valid candidate, unless another one is seconded. ``True`` when we vouch for it
        in the end, and be it because another validator was faster to second it."""
        said = job.stated.get(candidate.hash())
        if said is not None:
            return said is not Invalid
        if job.has_seconded():
            self._record(job, "backing.second_refused", candidate, reason="another is seconded")
            return False
        return self._state(job, duty, Seconded(candidate))

    # Jobs: a candidate that another validator seconds

    async def _check(
        self, job: BackingJob, duty: Duty, candidate: CommittedCandidateReceipt
    ) -> None:
        """Fetch its PoV, judge it, and say so (A74, A75)."""
        about = candidate.hash()
        pov = await self.ctx.ask(
            FetchPoV(
                job.relay_parent,
                about,
                candidate.descriptor,
                duty.basis.validation_data.max_pov_size,
            )
        )
        if about in job.stated:
            return  # our own collator's copy was faster
        judgement, _ = await self._judge(job, duty, candidate, pov)
        if about not in job.stated and judgement is not Judgement.UNDECIDED:
            is_valid = judgement is Judgement.VALID
            self._state(job, duty, Valid(about) if is_valid else Invalid(about))

    async def _serve_again(self, job: BackingJob, duty: Duty, candidate: CandidateHash) -> None:
        """Peers tell us what we stated before a restart. If we vouched for it, they may ask us for
        its PoV, which is on disk."""
        pov = await self.ctx.ask(QueryPoV(candidate))
        if pov is not None:
            para = duty.assignment.para_id
            self.ctx.send(DistributePoV(job.relay_parent, candidate, para, pov))

    # Jobs: judging

    async def _judge(
        self, job: BackingJob, duty: Duty, candidate: CommittedCandidateReceipt, pov: PoV
    ) -> tuple[Judgement, str]:
        """Validate a candidate; what is valid is stored, durably, before anything is signed."""
        try:
            judgement, reason = await self._validate_and_store(duty, candidate, pov)
        except Unanswered:
            judgement, reason = Judgement.UNDECIDED, "a question about it was left unanswered"
        except trio.Cancelled:
            if job.relay_parent not in self._jobs:
                why = "work on the relay parent ended before the verdict"
                self._record(job, "backing.abandoned", candidate, reason=why)
            raise
        self._record(job, f"backing.judged_{judgement.value}", candidate, reason=reason)
        if judgement is Judgement.VALID:
            para = candidate.descriptor.para_id
            self.ctx.send(DistributePoV(job.relay_parent, candidate.hash(), para, pov))
        return judgement, reason

    async def _validate_and_store(
        self, duty: Duty, candidate: CommittedCandidateReceipt, pov: PoV
    ) -> tuple[Judgement, str]:
        outcome = await self.ctx.ask(
            ValidateCandidate(
                candidate.descriptor,
                candidate.commitments.hash(),
                duty.basis.validation_data,
                duty.basis.code,
                duty.basis.criteria,
                pov,
                ExecutionKind.BACKING,
            )
        )
        if isinstance(outcome, CandidateInvalid):
            return Judgement.INVALID, outcome.reason
        if isinstance(outcome, CandidateUndecided):
            return Judgement.UNDECIDED, outcome.reason
        if await self._is_barred(duty, candidate):
            return Judgement.UNDECIDED, "it, or what it is made on, is disputed"
        root = candidate.descriptor.erasure_root
        data = AvailableData(pov, duty.basis.validation_data)
        stored = await self.ctx.ask(
            StoreAvailableData(candidate.hash(), data, root, duty.validators, duty.own)
        )
        match stored:
            case Stored.KEPT:
                return Judgement.VALID, "executed and stored"
            case Stored.WRONG_ROOT:
                return Judgement.INVALID, stored.value
            case Stored.REFUSED:  # our trouble is no vote
                return Judgement.UNDECIDED, stored.value

    async def _is_barred(self, duty: Duty, candidate: CommittedCandidateReceipt) -> bool:
        """Whether the candidate, or the one that it builds on, is found invalid, or may be. If that
        has been included here, the fork is left as a whole."""
        below = duty.assignment.builds_on
        about = (candidate.hash(),) if below is None else (candidate.hash(), below)
        barred = await self.ctx.ask(BarredCandidates(about))
        return bool(barred)

    # Routines

    def _state(self, job: BackingJob, duty: Duty, statement: Statement) -> bool:
        """Sign a statement, share it and count it. ``False`` when it would contradict what we
        signed before."""
        about = statement.candidate_hash()
        try:
            signature = self._keys.sign(
                KeyType.PARACHAIN,
                duty.key,
                statement_payload(type(statement), about, duty.signing),
                statement_promises(job.relay_parent, statement),
            )
        except ContradictionRefused as refusal:
            self.ctx.journal.record(
                "backing.refused",
                relay_parent=job.relay_parent,
                candidate=about,
                reason=str(refusal),
            )
            return False
        signed = SignedStatement(statement, duty.own, ValidatorSignature(H512(signature)))
        job.stated[about] = type(statement)
        self.ctx.meter.count(SIGNED)
        if isinstance(statement, Seconded):
            self.ctx.meter.count(SECONDED)
        self.ctx.send(Share(job.relay_parent, signed))
        self._count(job, signed)
        return True

    def _count(self, job: BackingJob, signed: SignedStatement) -> Taken:
        """Add a statement to the table, and tell what follows (A76); write down those of our own
        group. Contradictions of one validator with itself were reported by Statement
        Distribution."""
        imported = job.table.add(signed)
        if job.duty is not None and signed.validator_index in job.duty.assignment.group:
            self.ctx.journal.record(
                f"backing.{type(signed.statement).__name__.lower()}",
                relay_parent=job.relay_parent,
                candidate=signed.statement.candidate_hash(),
                validator=signed.validator_index,
                taken=imported.taken.name,
            )
        if imported.disagreement is not None:
            self.ctx.send(ReportMisbehavior(imported.disagreement))
        if imported.backed is not None:
            self._record(job, "backing.backable", imported.backed.candidate)
            job.backable.append(imported.backed)
            self.ctx.send(ProvisionBackable(job.relay_parent, imported.backed))
            for watcher in job.watchers:
                watcher(imported.backed)
        return imported.taken

    def _record(
        self,
        job: BackingJob,
        event: str,
        candidate: CommittedCandidateReceipt,
        **fields: object,
    ) -> None:
        self.ctx.journal.record(
            event,
            relay_parent=job.relay_parent,
            candidate=candidate.hash(),
            para=candidate.descriptor.para_id,
            **fields,
        )
