"""Misbehavior Arbitration keeps evidence (A109, the part that is here: detection and record)."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    CandidateValidityDisagreement,
    DoubleVote,
    MisbehaviorReport,
    ProvisionMisbehavior,
    QueryMisbehavior,
    ReportMisbehavior,
    SelfContradiction,
)
from parahost.node.overseer import Subsystem
from parahost.node.utility.misbehavior_arbitration import MisbehaviorArbitration
from parahost.ports import Batch, DatabaseError
from parahost.primitives.basic import H512, U32, ValidatorIndex, ValidatorSignature
from parahost.primitives.statements import Invalid, Seconded, SignedStatement, Statement, Valid
from parahost.storage.memory import MemoryDatabase
from tests.node.availability.world import RelayChain, hash_of, plain
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World

CHAIN = RelayChain(World(validators=4, parachains=[100]))
FIRST, _ = CHAIN.candidate(100, b"first")
SECOND, _ = CHAIN.candidate(100, b"second")
PARENT = CHAIN.genesis.hash()


def says(statement: Statement, validator: int = 1) -> SignedStatement:
    signature = ValidatorSignature(H512(bytes(64)))
    return SignedStatement(statement, ValidatorIndex(U32(validator)), signature)


DOUBLE = DoubleVote(PARENT, says(Seconded(FIRST.candidate)), says(Seconded(SECOND.candidate)))
CONTRADICTION = SelfContradiction(
    PARENT, plain(FIRST), says(Valid(hash_of(FIRST))), says(Invalid(hash_of(FIRST)))
)
DISAGREEMENT = CandidateValidityDisagreement(
    PARENT, plain(FIRST), (says(Valid(hash_of(FIRST)), 0), says(Invalid(hash_of(FIRST)), 2))
)
ALL: tuple[MisbehaviorReport, ...] = (DOUBLE, CONTRADICTION, DISAGREEMENT)


class Provisioned(Subsystem):
    name = "provisioned"
    receives = (ProvisionMisbehavior,)

    def __init__(self) -> None:
        self.reports: list[MisbehaviorReport] = []

    def on_message(self, message: Message) -> None:
        assert isinstance(message, ProvisionMisbehavior)
        self.reports.append(message.report)


async def run(
    database: MemoryDatabase, *reports: MisbehaviorReport
) -> tuple[tuple[MisbehaviorReport, ...], list[MisbehaviorReport]]:
    """What is kept, and what was provisioned, after these reports."""
    provisioned = Provisioned()
    overseer = make_overseer([MisbehaviorArbitration(database), provisioned])
    async with running(overseer):
        for report in reports:
            overseer.send(ReportMisbehavior(report))
        kept = await overseer.ask(QueryMisbehavior())
        await trio.testing.wait_all_tasks_blocked()
    return kept, provisioned.reports


@pytest.mark.guide("A109")
async def test_each_kind_is_kept_once_over_restarts_and_offered_to_authors() -> None:
    database = MemoryDatabase()
    assert await run(database, *ALL, *ALL) == (ALL, list(ALL))
    database = database.crash(lose=database.unsynced)
    assert await run(database, DOUBLE) == (ALL, list(ALL))


@pytest.mark.guide("A109")
async def test_a_failed_write_costs_no_other_report() -> None:
    database = MemoryDatabase()

    writes = 0

    def fail_second(batch: Batch, durable: bool) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise DatabaseError("the disk is full")

    database.before_write = fail_second
    assert (await run(database, *ALL))[0] == ALL
    database.before_write = None
    other = DoubleVote(PARENT, DOUBLE.second, DOUBLE.first)
    kept, _ = await run(database.crash(), other)
    assert kept == (DOUBLE, DISAGREEMENT, other)
