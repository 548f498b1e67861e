"""Misbehavior Arbitration: collects and keeps reports of validators' misbehaviour (A109).

Judging them, and slashing, belongs to the disputes' issue; detection and evidence are here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from parahost.node.messages.base import Message
from parahost.node.messages.signals import OverseerSignal, StartWork
from parahost.node.messages.utility import (
    ProvisionMisbehavior,
    ReportMisbehavior,
)
from parahost.node.overseer import Context, Subsystem
from parahost.node.utility.evidence import Evidence, EvidenceTable, offenders_of, session_of
from parahost.ports import Batch, Database, DatabaseError
from parahost.primitives.basic import U32, SessionIndex
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.misbehavior import CandidateValidityDisagreement, MisbehaviorReport
from parahost.primitives.scale import ScaleDecodeError, decode, encode

TABLE = "misbehavior"
"""Number of the report (u64, big-endian) -> ``Evidence``."""


class MisbehaviorArbitration(Subsystem):
    """Keeps reports durably, in the order in which they came, as ``EvidenceTable`` has room.

    A row that is none in today's form was written by an earlier version. It is dropped, and the
    journal says so: what it proved has been in reach of block authors since it was written.
    """

    name = "misbehavior-arbitration"
    receives = (ReportMisbehavior,)
    sends: ClassVar[tuple[type[Message], ...]] = (ProvisionMisbehavior,)

    def __init__(self, database: Database) -> None:
        self._database = database
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
        if isinstance(signal, StartWork):
            session = signal.leaf.session.signing.session_index
            if session > self._session:
                self._session = session
                self._write(gone=self._table.prune(session))

    # Handlers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, ReportMisbehavior)
        report = message.report
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


def _told(report: MisbehaviorReport) -> dict[str, object]:
    """Who did it and where, for the journal."""
    if isinstance(report, BabeEquivocationProof):
        blocks = {"block": report.first_header.hash(), "other": report.second_header.hash()}
        return {"offender": report.offender, "slot": report.slot, **blocks}
    if isinstance(report, GrandpaEquivocationProof):
        blocks = {"block": report.first.target_hash, "other": report.second.target_hash}
        return {"offender": report.offender, "round": report.round, **blocks}
    validators = ",".join(str(index) for _, index in offenders_of(report))
    where = {"relay_parent": report.context.parent_hash, "validators": validators}
    if isinstance(report, CandidateValidityDisagreement):
        return {"candidate": report.candidate, **where}
    first, second = report.first.statement, report.second.statement
    return {"candidate": second.candidate_hash(), "other": first.candidate_hash(), **where}
