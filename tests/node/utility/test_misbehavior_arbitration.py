"""Misbehavior Arbitration keeps evidence (A109, the part that is here: detection and record)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
import trio.testing

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    DisputeSettled,
    ProvisionMisbehavior,
    ReportMisbehavior,
)
from parahost.node.messages.validity import IssueVote
from parahost.node.overseer import Subsystem
from parahost.node.utility.evidence import Evidence, EvidenceTable
from parahost.node.utility.misbehavior_arbitration import TABLE, MisbehaviorArbitration
from parahost.node.utility.verdicts import verdict_of
from parahost.ports import Batch, DatabaseError, KeyStore
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    ZERO_HASH,
    BabeId,
    BlockNumber,
    CandidateHash,
    GrandpaId,
    GrandpaSignature,
    Hash,
    SessionIndex,
    Slot,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.consensus import (
    BabeEquivocationProof,
    GrandpaEquivocationProof,
    Precommit,
    Prevote,
)
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.header import Header, Other
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    DoubleVote,
    MisbehaviorReport,
    SelfContradiction,
)
from parahost.primitives.scale import decode, encode
from parahost.primitives.statements import (
    CompactSeconded,
    CompactStatement,
    Invalid,
    SignedCompactStatement,
    SigningContext,
    Valid,
)
from parahost.runtime import api
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.slashing import Misconduct
from parahost.storage.memory import MemoryDatabase
from tests.node.availability.world import RelayChain, hash_of, key_store, plain
from tests.node.harness import ListJournal, make_overseer, running, scripted_leaf
from tests.runtime.parachains.test_disputes import (
    CONFIG,
    LATE,
    VALIDATORS,
    candidate,
    free,
    outsiders,
    stakes,
    votes,
)
from tests.runtime.parachains.world import STAKE, World

CHAIN = RelayChain(World(validators=4, parachains=[100]))
FIRST, _ = CHAIN.candidate(100, b"first")
SECOND, _ = CHAIN.candidate(100, b"second")
PARENT = CHAIN.genesis.hash()
SESSION = SessionIndex(U32(1))
SIGNING = SigningContext(SESSION, PARENT)


def says(statement: CompactStatement, validator: int = 1) -> SignedCompactStatement:
    signature = ValidatorSignature(H512(bytes(64)))
    return SignedCompactStatement(statement, ValidatorIndex(U32(validator)), signature)


DOUBLE = DoubleVote(
    SIGNING, says(CompactSeconded(hash_of(FIRST))), says(CompactSeconded(hash_of(SECOND)))
)
CONTRADICTION = SelfContradiction(
    SIGNING, says(Valid(hash_of(FIRST))), says(Invalid(hash_of(FIRST)))
)
DISAGREEMENT = CandidateValidityDisagreement(
    SIGNING, hash_of(FIRST), (says(Valid(hash_of(FIRST)), 0), says(Invalid(hash_of(FIRST)), 2))
)
_HEADER = Header(PARENT, BlockNumber(U32(2)), ZERO_HASH, ZERO_HASH, ())
BABE = BabeEquivocationProof(
    BabeId(ZERO_HASH), Slot(U64(5)), _HEADER, replace(_HEADER, state_root=PARENT)
)
_VOTE = Prevote(PARENT, BlockNumber(U32(1)))
_SIGNATURE = GrandpaSignature(H512(bytes(64)))
GRANDPA = GrandpaEquivocationProof(
    U64(1),
    U64(7),
    GrandpaId(ZERO_HASH),
    _VOTE,
    _SIGNATURE,
    replace(_VOTE, target_hash=ZERO_HASH),
    _SIGNATURE,
)
ALL: tuple[MisbehaviorReport, ...] = (DOUBLE, CONTRADICTION, DISAGREEMENT, BABE, GRANDPA)


def at(number: int, report: DoubleVote, session: int = SESSION) -> DoubleVote:
    """The same at another relay parent."""
    parent = Hash(H256(number.to_bytes(32, "little")))
    return replace(report, context=SigningContext(SessionIndex(U32(session)), parent))


class Provisioned(Subsystem):
    name = "provisioned"
    receives = (ProvisionMisbehavior, IssueVote)

    def __init__(self) -> None:
        self.reports: list[MisbehaviorReport] = []
        self.disputed: list[IssueVote] = []

    def on_message(self, message: Message) -> None:
        match message:
            case ProvisionMisbehavior(report):
                self.reports.append(report)
            case IssueVote():
                self.disputed.append(message)


def in_session(number: int) -> ActiveLeaf:
    """A leaf whose children are in that session."""
    answers = {api.session_index_for_child: lambda: number, api.validators: lambda: ()}
    return scripted_leaf(number=number, answers=answers)


def stored(database: MemoryDatabase) -> tuple[MisbehaviorReport, ...]:
    """The reports in the database, oldest first."""
    rows = [decode(Evidence, form) for _, form in database.scan(TABLE)]
    return tuple(row.report for row in rows)


async def run(
    database: MemoryDatabase, *reports: MisbehaviorReport, keys: KeyStore | None = None
) -> tuple[tuple[MisbehaviorReport, ...], list[MisbehaviorReport]]:
    """What is kept, and what was provisioned, after these reports."""
    provisioned = Provisioned()
    overseer = make_overseer([MisbehaviorArbitration(database, keys or key_store()), provisioned])
    async with running(overseer):
        for report in reports:
            overseer.send(ReportMisbehavior(report))
        await trio.testing.wait_all_tasks_blocked()
    return stored(database), provisioned.reports


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
    assert (await run(database, *ALL))[1] == list(ALL), "all are offered to authors"
    database.before_write = None
    other = at(1, DOUBLE)
    kept, _ = await run(database.crash(), other)
    assert kept == (DOUBLE, DISAGREEMENT, BABE, GRANDPA, other)


@pytest.mark.guide("A109")
async def test_of_one_offence_one_proof_is_kept() -> None:
    again = DoubleVote(SIGNING, DOUBLE.second, DOUBLE.first)
    other = replace(CONTRADICTION, second=says(CompactSeconded(hash_of(FIRST))))
    kept, provisioned = await run(MemoryDatabase(), DOUBLE, CONTRADICTION, again, other)
    assert kept == (DOUBLE, CONTRADICTION) and provisioned == [DOUBLE, CONTRADICTION]


@pytest.mark.guide("A109")
async def test_what_proves_nothing_is_no_report() -> None:
    valid = DISAGREEMENT.statements[0]
    nothing: list[MisbehaviorReport] = [
        replace(DOUBLE, second=DOUBLE.first),
        replace(CONTRADICTION, second=CONTRADICTION.first),
        replace(CONTRADICTION, second=says(Invalid(hash_of(FIRST)), validator=2)),
        SelfContradiction(SIGNING, DOUBLE.first, DOUBLE.second),
        replace(DISAGREEMENT, statements=(valid, valid)),
        replace(DISAGREEMENT, candidate=hash_of(SECOND)),
        replace(BABE, second_header=BABE.first_header),
        replace(GRANDPA, second=GRANDPA.first),
        replace(GRANDPA, second=Precommit(ZERO_HASH, BlockNumber(U32(1)))),
    ]
    assert await run(MemoryDatabase(), *nothing) == ((), [])


@pytest.mark.guide("A109")
async def test_a_disagreement_is_kept_with_all_that_was_said() -> None:
    database = MemoryDatabase()
    more = replace(
        DISAGREEMENT, statements=(*DISAGREEMENT.statements, says(Valid(hash_of(FIRST)), 3))
    )
    assert (await run(database, DISAGREEMENT, more, DISAGREEMENT))[0] == (more,)
    assert (await run(database.crash()))[0] == (more,)


async def test_what_the_disk_refused_to_delete_goes_at_the_next_start() -> None:
    database = MemoryDatabase()
    more = replace(
        DISAGREEMENT, statements=(*DISAGREEMENT.statements, says(Valid(hash_of(FIRST)), 3))
    )
    batch = Batch()
    for number, report in enumerate((DISAGREEMENT, more)):
        batch.put(TABLE, number.to_bytes(8, "big"), encode(Evidence(SESSION, report)))
    database.write(batch, durable=True)
    assert (await run(database))[0] == (more,)
    assert [key for key, _ in database.scan(TABLE)] == [bytes(7) + b"\x01"]


@pytest.mark.guide("A109")
async def test_one_offender_does_not_crowd_out_the_others() -> None:
    """4 reports of a kind are kept of one validator, whatever it does."""
    flood = [at(number, DOUBLE) for number in range(100)]
    of_another = DoubleVote(
        SIGNING,
        *(
            replace(each, validator_index=ValidatorIndex(U32(2)))
            for each in (DOUBLE.first, DOUBLE.second)
        ),
    )
    kept, _ = await run(MemoryDatabase(), *flood, of_another, CONTRADICTION)
    assert kept == (*flood[:4], of_another, CONTRADICTION)


@pytest.mark.guide("A109")
async def test_a_liar_fills_its_own_quota_and_not_its_groups() -> None:
    """Validator 2 calls invalid what 0 calls valid, again and again: 4 such reports are kept. Then
    0 disagrees with somebody else, and that is kept as well."""

    def disagreement(number: int, dissenter: int) -> CandidateValidityDisagreement:
        about = CandidateHash(H256(number.to_bytes(32, "little")))
        said = (says(Valid(about), 0), says(Invalid(about), dissenter))
        return CandidateValidityDisagreement(SIGNING, about, said)

    lies = [disagreement(number, dissenter=2) for number in range(50)]
    other = disagreement(50, dissenter=3)
    kept, _ = await run(MemoryDatabase(), *lies, other)
    assert kept == (*lies[:4], other)


@pytest.mark.guide("A109")
async def test_when_there_are_too_many_equivocations_stay() -> None:
    """A thousand offenders with four reports each, of two kinds, are more than the 4,096 that have
    room. What weighs least goes, the oldest first; nothing of it stays on disk."""
    table = EvidenceTable()
    table.put(0, Evidence(SESSION, BABE))
    gone: list[int] = []
    for number in range(1, 5000):
        validator = ValidatorIndex(U32(number))
        statements = (
            replace(each, validator_index=validator)
            for each in (CONTRADICTION.first, CONTRADICTION.second)
        )
        report = SelfContradiction(SIGNING, *statements)
        assert table.takes(report)
        gone += table.put(number, Evidence(SESSION, report))
    assert len(table) == 4096
    assert gone == list(range(1, 5000 - 4095)), "the proof of an equivocation is the oldest of all"
    assert table.all()[0].report == BABE


async def test_reports_are_bounded_in_bytes() -> None:
    """A proof of 240 KiB: 64 MiB hold 273 of them."""
    table = EvidenceTable()
    large = Other(bytes(120 * 1024))
    for number in range(300):
        report = replace(
            BABE,
            offender=BabeId(H256(number.to_bytes(32, "little"))),
            first_header=replace(BABE.first_header, digest=(large,)),
            second_header=replace(BABE.second_header, digest=(large,)),
        )
        table.put(number, Evidence(SESSION, report))
    assert len(table) == 272
    assert sum(len(encode(each.report)) for each in table.all()) <= 64 * 1024 * 1024


@pytest.mark.guide("A109")
async def test_reports_are_pruned_with_their_session() -> None:
    """Kept for six sessions: what happened in session 1 goes when session 7 begins."""
    database = MemoryDatabase()
    later = at(1, DOUBLE, session=2)
    overseer = make_overseer([MisbehaviorArbitration(database, key_store()), Provisioned()])
    async with running(overseer):
        for report in (DOUBLE, later):
            overseer.send(ReportMisbehavior(report))
        for session, kept in ((6, (DOUBLE, later)), (7, (later,))):
            overseer.block_imported(in_session(session))
            await trio.testing.wait_all_tasks_blocked()
            assert stored(database) == kept
    assert (await run(database.crash()))[0] == (later,), "nor does it come back"


@pytest.mark.guide("A109")
async def test_rows_of_another_form_are_dropped_and_named() -> None:
    database = MemoryDatabase()
    await run(database, DOUBLE)
    batch = Batch()
    batch.put(TABLE, bytes(7) + b"\x09", encode(DOUBLE, MisbehaviorReport))
    database.write(batch, durable=True)
    overseer = make_overseer([MisbehaviorArbitration(database, key_store()), Provisioned()])
    async with running(overseer):
        await trio.testing.wait_all_tasks_blocked()
        assert stored(database) == (DOUBLE,)
    journal = overseer._journal
    assert isinstance(journal, ListJournal)
    assert journal.events == [("misbehavior.unknown_form", {"dropped": 1})]
    assert [key for key, _ in database.scan(TABLE)] == [bytes(8)]


async def test_a_line_says_who_did_what_with_which_candidates() -> None:
    overseer = make_overseer([MisbehaviorArbitration(MemoryDatabase(), key_store()), Provisioned()])
    journal = overseer._journal
    assert isinstance(journal, ListJournal)
    async with running(overseer, [in_session(1)]):
        for report in (DOUBLE, CONTRADICTION, DISAGREEMENT):
            overseer.send(ReportMisbehavior(report))
        await trio.testing.wait_all_tasks_blocked()
    first, second = hash_of(FIRST), hash_of(SECOND)
    told = [fields for name, fields in journal.events if name == "misbehavior.reported"]
    assert told == [
        {"kind": "DoubleVote", "candidate": second, "other": first, **_where("1")},
        {"kind": "SelfContradiction", "candidate": first, "other": first, **_where("1")},
        {"kind": "CandidateValidityDisagreement", "candidate": first, **_where("0,2")},
    ]


def _where(validators: str) -> dict[str, object]:
    return {"relay_parent": PARENT, "validators": validators}


# Disagreements are settled by disputes


@pytest.mark.guide("A109")
@pytest.mark.parametrize(("own", "disputes"), [(2, True), (0, False), (3, False), (None, False)])
async def test_who_has_called_it_invalid_disputes_it_when_it_is_included(
    own: int | None, disputes: bool
) -> None:
    """Validator 2 has, 0 has vouched, 3 has said nothing. Nobody else disputes on a liar's word."""
    chain = RelayChain(World(validators=4, parachains=[100]))
    backed, _ = chain.candidate(100)
    disagreement = CandidateValidityDisagreement(
        SigningContext(SessionIndex(U32(0)), chain.genesis.hash()),
        hash_of(backed),
        (says(Valid(hash_of(backed)), 0), says(Invalid(hash_of(backed)), 2)),
    )
    keys = key_store(*(() if own is None else (own,)))
    database, others = MemoryDatabase(), Provisioned()
    await run(database, disagreement)
    overseer = make_overseer([MisbehaviorArbitration(database, keys), others])
    async with running(overseer):
        for header in (chain.add(backed=[backed]), chain.add(vote=True), chain.add()):
            overseer.block_imported(chain.leaf(header))
            await trio.testing.wait_all_tasks_blocked()
    assert others.disputed == ([IssueVote(SessionIndex(U32(0)), plain(backed))] if disputes else [])


@pytest.mark.guide("A109")
def test_the_verdict_is_what_the_chain_takes_and_gives() -> None:
    """Two have backed a candidate that nine of the other ten call invalid. One of these says both,
    too late to change anything; one says nothing. The chain's balances tell the rest."""
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4
    )
    world.add_block(world.data(candidates=[world.back(world.receipt(1), positions=[0, 1])]))
    world.add_block(world.data(world.all_vote(world.pending_cores())))
    record = candidate(world)
    those = outsiders(record)
    before = stakes(world), free(world)
    world.add_block(disputes=[votes(record.key(), against=those[:9])])
    world.add_block(disputes=[votes(record.key(), valid=those[:1])])
    world.add_blocks_until(world.number + LATE + 3)
    state = dict(world.api.disputes(world.state))[record.key()]
    assert state.outcome is DisputeOutcome.INVALID
    verdict = verdict_of(Votes.of(state), state.outcome, VALIDATORS)
    losses = [then - now for then, now in zip(before[0], stakes(world), strict=True)]
    gains = [now - then for then, now in zip(before[1], free(world), strict=True)]
    punished = {who: what for what, whos in verdict.misconduct for who in whos}
    assert {who for who, lost in enumerate(losses) if lost} == set(punished)
    assert {who for who, gained in enumerate(gains) if gained} == set(verdict.rewarded)
    assert losses[record.backers[1]] == STAKE, "the minority loses all"
    assert 0 < losses[those[9]] < STAKE // 1000, "who abstains loses a little"


@pytest.mark.guide("A109")
@pytest.mark.parametrize(
    ("valid", "invalid", "backers", "outcome", "misconduct", "rewarded"),
    [
        (
            {0, 1, 2},
            {3, 4, 5, 6, 7},
            {0, 1},
            DisputeOutcome.INVALID,
            {
                Misconduct.BACKED_INVALID: (0, 1),
                Misconduct.VOTED_FOR_INVALID: (2,),
                Misconduct.NOT_VOTED: (8,),
            },
            (3, 4, 5, 6, 7),
        ),
        (
            {0, 1, 2, 3, 4, 5, 6},
            {6, 7},
            {0, 1},
            DisputeOutcome.VALID,
            {
                Misconduct.VOTED_AGAINST_VALID: (6, 7),
                Misconduct.DOUBLE_VOTE: (6,),
                Misconduct.NOT_VOTED: (8,),
            },
            (0, 1, 2, 3, 4, 5),
        ),
        (
            {0, 1},
            {1, 2, 3, 4, 5, 6, 7, 8},
            {0, 1},
            DisputeOutcome.INVALID,
            {Misconduct.BACKED_INVALID: (0, 1), Misconduct.DOUBLE_VOTE: (1,)},
            (2, 3, 4, 5, 6, 7, 8),
        ),
    ],
)
def test_minority_majority_and_those_who_abstain(
    valid: set[int],
    invalid: set[int],
    backers: set[int],
    outcome: DisputeOutcome,
    misconduct: dict[Misconduct, tuple[int, ...]],
    rewarded: tuple[int, ...],
) -> None:
    sets = (frozenset(ValidatorIndex(U32(it)) for it in each) for each in (valid, invalid, backers))
    said = Votes(*sets)
    verdict = verdict_of(said, outcome, 9)
    assert dict(verdict.misconduct) == misconduct and verdict.rewarded == rewarded


async def test_the_verdict_is_in_the_journal() -> None:
    candidate_hash = hash_of(FIRST)
    said = Votes(
        valid=frozenset({ValidatorIndex(U32(0))}),
        invalid=frozenset(ValidatorIndex(U32(each)) for each in (1, 2, 3)),
        backers=frozenset({ValidatorIndex(U32(0))}),
    )
    overseer = make_overseer([MisbehaviorArbitration(MemoryDatabase(), key_store()), Provisioned()])
    journal = overseer._journal
    assert isinstance(journal, ListJournal)
    async with running(overseer):
        overseer.send(DisputeSettled(SESSION, candidate_hash, DisputeOutcome.INVALID, said, 4))
        await trio.testing.wait_all_tasks_blocked()
    (fields,) = [told for name, told in journal.events if name == "misbehavior.verdict"]
    assert fields["backed_invalid"] == "0" and fields["rewarded"] == "1,2,3"
