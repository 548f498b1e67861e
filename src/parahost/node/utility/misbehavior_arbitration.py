"""Misbehavior Arbitration: collects and keeps reports of validators' misbehaviour (A109).

Judging them, and slashing, belongs to the disputes' issue; detection and evidence are here.
"""

from __future__ import annotations

from typing import ClassVar

from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    MisbehaviorReport,
    ProvisionMisbehavior,
    QueryMisbehavior,
    ReportMisbehavior,
)
from parahost.node.overseer import Context, Subsystem
from parahost.ports import Batch, Database, DatabaseError
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode, encode

TABLE = "misbehavior"
MAX_REPORTS = 4096
"""Reports that are kept; of more, the first ones stay, and the rest is only logged."""


class MisbehaviorArbitration(Subsystem):
    """Keeps each report once, durably, in the order in which they came."""

    name = "misbehavior-arbitration"
    receives = (ReportMisbehavior, QueryMisbehavior)
    sends: ClassVar[tuple[type[Message], ...]] = (ProvisionMisbehavior,)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reports: dict[bytes, MisbehaviorReport] = {}
        self._next_key = 0
        for key, form in database.scan(TABLE):
            self._reports[blake2_256(form)] = decode(MisbehaviorReport, form)
            self._next_key = int.from_bytes(key, "big") + 1

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        for report in self._reports.values():
            ctx.send(ProvisionMisbehavior(report))

    def on_message(self, message: Message) -> None:
        match message:
            case ReportMisbehavior(report):
                self._keep(report)
            case QueryMisbehavior():
                message.reply.answer(tuple(self._reports.values()))

    def _keep(self, report: MisbehaviorReport) -> None:
        form = encode(report, MisbehaviorReport)
        digest = blake2_256(form)
        if digest in self._reports:
            return
        self.ctx.journal.record("misbehavior.reported", kind=type(report).__name__)
        if len(self._reports) >= MAX_REPORTS:
            return
        batch = Batch()
        batch.put(TABLE, self._next_key.to_bytes(8, "big"), form)
        self._next_key += 1
        try:
            self._database.write(batch, durable=True)
        except DatabaseError as error:
            self.ctx.journal.record("misbehavior.not_stored", reason=str(error))
        self._reports[digest] = report
        self.ctx.send(ProvisionMisbehavior(report))
