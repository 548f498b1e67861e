"""Misbehavior Arbitration: what becomes of reports of validators' misbehaviour (A109, D26).

What one validator's own signatures prove is brought to the chain by block authors. A disagreement
on a candidate proves nothing of anybody by itself: when it is included all the same, whoever has
found it invalid disputes it, and answers for that with its stake. So all validators are called, and
the verdict is by what they say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.messages.signals import OverseerSignal, StartWork
from parahost.node.messages.utility import (
    DisputeSettled,
    ProvisionMisbehavior,
    ReportMisbehavior,
)
from parahost.node.messages.validity import IssueVote
from parahost.node.overseer import Context, Subsystem
from parahost.node.session import own_index
from parahost.node.utility.evidence import Evidence, EvidenceTable, offenders_of, session_of
from parahost.node.utility.verdicts import DisputeVerdict, verdict_of
from parahost.ports import Batch, Database, DatabaseError, KeyStore
from parahost.primitives.basic import U32, CandidateHash, SessionIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.misbehavior import CandidateValidityDisagreement, MisbehaviorReport
from parahost.primitives.runtime_api import CandidateIncludedEvent
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.statements import Invalid
from parahost.runtime import api

TABLE = "misbehavior"
"""Number of the report (u64, big-endian) -> ``Evidence``."""


class MisbehaviorArbitration(Subsystem):
    """Keeps reports durably, in the order in which they came, as ``EvidenceTable`` has room.

    A row that is none in today's form was written by an earlier version. It is dropped, and the
    journal says so: what it proved has been in reach of block authors since it was written.
    """

    name = "misbehavior-arbitration"
    receives = (ReportMisbehavior, DisputeSettled)
    sends: ClassVar[tuple[type[Message], ...]] = (ProvisionMisbehavior, IssueVote)

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys
        self._table = EvidenceTable()
        self._session = SessionIndex(U32(0))
        self._next_key = 0
        self._unknown: list[int] = []
        self._excess: list[int] = []
        """What the disk refused to delete before a restart."""
        for key, form in database.scan(TABLE):
            self._restore(int.from_bytes(key, "big"), form)

    def _restore(self, key: int, form: bytes) -> None:
        self._next_key = key + 1
        try:
            evidence: Evidence = decode(Evidence, form)
        except ScaleDecodeError:
            self._unknown.append(key)
            return
        self._excess += self._table.put(key, evidence)
        self._session = max(self._session, evidence.session)

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        if self._unknown:
            ctx.journal.record("misbehavior.unknown_form", dropped=len(self._unknown))
        self._write(gone=self._unknown + self._excess)
        for evidence in self._table.all():
            ctx.send(ProvisionMisbehavior(evidence.report))

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if not isinstance(signal, StartWork):
            return
        leaf = signal.leaf
        session = leaf.session.signing.session_index
        if session > self._session:
            self._session = session
            self._write(gone=self._table.prune(session))
        for event in leaf.events if self._table.has_disagreements else ():
            if isinstance(event, CandidateIncludedEvent):
                self._dispute_if_denied(leaf, event.receipt)

    def _dispute_if_denied(self, leaf: ActiveLeaf, receipt: CandidateReceipt) -> None:
        """The candidate is included: if this node has called it invalid, it stands by that."""
        report = self._table.disagreement(receipt.hash())
        if report is None:
            return
        session = report.context.session_index
        info = leaf.read(api.session_info, session)
        own = None if info is None else own_index(info.validators, self._keys)
        if any(
            signed.validator_index == own and isinstance(signed.statement, Invalid)
            for signed in report.statements
        ):
            self.ctx.send(IssueVote(session, receipt))

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case ReportMisbehavior(report):
                self._on_report(report)
            case DisputeSettled(session, candidate, outcome, votes, validators):
                verdict = verdict_of(votes, outcome, validators)
                self._record_verdict(session, candidate, outcome, verdict)

    def _record_verdict(
        self,
        session: SessionIndex,
        candidate: CandidateHash,
        outcome: DisputeOutcome,
        verdict: DisputeVerdict,
    ) -> None:
        done = {what.name.lower(): _listed(who) for what, who in verdict.misconduct}
        self.ctx.journal.record(
            "misbehavior.verdict",
            session=session,
            candidate=candidate,
            outcome=outcome.name.lower(),
            rewarded=_listed(verdict.rewarded),
            **done,
        )

    def _on_report(self, report: MisbehaviorReport) -> None:
        if not self._table.takes(report):
            return
        self.ctx.journal.record("misbehavior.reported", kind=type(report).__name__, **_told(report))
        evidence = Evidence(session_of(report, self._session), report)
        key, self._next_key = self._next_key, self._next_key + 1
        gone = self._table.put(key, evidence)
        if key not in gone:
            self._write({key: evidence}, gone)
            self.ctx.send(ProvisionMisbehavior(report))

    # Routines

    def _write(self, new: dict[int, Evidence] | None = None, gone: Iterable[int] = ()) -> None:
        batch = Batch()
        for key, evidence in (new or {}).items():
            batch.put(TABLE, _row(key), encode(evidence))
        for key in gone:
            batch.delete(TABLE, _row(key))
        if not batch.changes:
            return
        try:
            self._database.write(batch, durable=True)
        except DatabaseError as error:
            self.ctx.journal.record("misbehavior.not_stored", reason=str(error))


def _row(key: int) -> bytes:
    return key.to_bytes(8, "big")


def _listed(validators: Iterable[object]) -> str:
    return ",".join(map(str, validators))


def _told(report: MisbehaviorReport) -> dict[str, object]:
    """Who did it and where, for the journal."""
    if isinstance(report, BabeEquivocationProof):
        blocks = {"block": report.first_header.hash(), "other": report.second_header.hash()}
        return {"offender": report.offender, "slot": report.slot, **blocks}
    if isinstance(report, GrandpaEquivocationProof):
        blocks = {"block": report.first.target_hash, "other": report.second.target_hash}
        return {"offender": report.offender, "round": report.round, **blocks}
    validators = _listed(index for _, index in offenders_of(report))
    where = {"relay_parent": report.context.parent_hash, "validators": validators}
    if isinstance(report, CandidateValidityDisagreement):
        return {"candidate": report.candidate, **where}
    first, second = report.first.statement, report.second.statement
    return {"candidate": second.candidate_hash(), "other": first.candidate_hash(), **where}
