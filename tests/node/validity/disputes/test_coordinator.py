"""The Dispute Coordinator on a relay chain: what it reads, keeps, signs and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.messages.availability import ObtainChunk, QueryChunk
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.utility import DisputeSettled
from parahost.node.messages.validity import (
    ApprovalsOf,
    BarredCandidates,
    BlockCandidates,
    CheckCandidate,
    CheckOutcome,
    CheckVerdict,
    DisputeMoved,
    DisputesForChain,
    DistributeHolder,
    DistributeVotes,
    ImportVotes,
    IssueVote,
    UndisputedChain,
)
from parahost.node.overseer import Overseer, Subsystem, SubsystemFailed
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.node.validity.disputes.coordinator import DisputeCoordinator
from parahost.node.validity.disputes.effects import VotesBrought, VotesVerdict
from parahost.node.validity.disputes.participation import CHECK_AGAIN_S
from parahost.node.validity.disputes.remote import RemoteDisputing
from parahost.node.validity.disputes.store import READ_BLOCKS, DisputeStore
from parahost.ports import Batch, KeyStore, KeyType
from parahost.primitives.approval import Approval
from parahost.primitives.basic import CandidateHash, SessionIndex
from parahost.primitives.disputes import (
    ApprovalChecking,
    BackingSeconded,
    BackingValid,
    DisputeOutcome,
    DisputeStatementSet,
    ExplicitInvalidVote,
    ExplicitVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.remote_disputes import RemoteDispute
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime.extrinsic import decode_extrinsic
from parahost.runtime.parachains.remote_disputes import DisputeRemotely
from parahost.runtime.parachains.sanitize import sanitize
from parahost.storage.memory import MemoryDatabase
from tests.node.availability.world import RelayChain, key_store
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.test_disputes import (
    CONFIG,
    LATE,
    VALIDATORS,
    outsiders,
    signed,
    votes,
)
from tests.runtime.parachains.test_remote_disputes import (
    FOREIGN,
    backers,
    bring,
    brought,
    others,
    receipt,
)
from tests.runtime.parachains.world import World, keypair, validator_name
from tests.verifying import VERIFIER

AGAINST, FOR = VoteInvalid(ExplicitInvalidVote()), VoteValid(ExplicitVote())
CHECKED = VoteValid(ApprovalChecking())


def relay_chain() -> RelayChain:
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4
    )
    return RelayChain(world)


class Others(Subsystem):
    """Everybody whom the coordinator tells something. ``finds`` says what a check finds, and
    ``obtains`` whether a chunk that is not on disk can be had."""

    name = "others"
    receives = (
        ApprovalsOf,
        CheckCandidate,
        DistributeVotes,
        DistributeHolder,
        DisputeMoved,
        DisputeSettled,
        QueryChunk,
        ObtainChunk,
    )

    def __init__(self, finds: CheckVerdict | None) -> None:
        self.finds = finds
        self.approvals: tuple[Approval, ...] = ()
        """What Approval Voting has heard of any candidate."""
        self.checked: list[CheckCandidate] = []
        self.distributed: list[DistributeVotes] = []
        self.moved: list[tuple[SessionIndex, CandidateHash, bool]] = []
        """What Chain Selection was told."""
        self.obtains = False
        self.obtained: list[ObtainChunk] = []
        self.holding: list[DistributeHolder] = []
        self.settled: list[DisputeSettled] = []

    def on_message(self, message: Message) -> None:
        if isinstance(message, CheckCandidate):
            self.checked.append(message)
            if self.finds is not None:
                message.reply.answer(CheckOutcome(self.finds, "a test says so"))
        elif isinstance(message, ApprovalsOf):
            message.reply.answer(self.approvals)
        elif isinstance(message, DistributeVotes):
            self.distributed.append(message)
        elif isinstance(message, DisputeMoved):
            self.moved.append((message.session, message.candidate, message.towards_invalid))
        elif isinstance(message, QueryChunk):
            message.reply.answer(None)
        elif isinstance(message, ObtainChunk):
            self.obtained.append(message)
            message.reply.answer(self.obtains)
        elif isinstance(message, DistributeHolder):
            self.holding.append(message)
        elif isinstance(message, DisputeSettled):
            self.settled.append(message)


@dataclass
class Life:
    """One life of a node."""

    overseer: Overseer
    others: Others
    chain: RelayChain
    submitted: list[Extrinsic]

    async def hears(self, *headers: Header) -> None:
        for header in headers:
            self.overseer.block_imported(self.chain.leaf(header))
            await wait_all_tasks_blocked()

    async def is_brought(self, *statements: DisputeStatementSet) -> tuple[VotesVerdict, ...]:
        records = {each.receipt.hash(): each.receipt for each in self.included()}
        brought = tuple(VotesBrought(records[each.candidate_hash], each) for each in statements)
        found = await self.overseer.ask(ImportVotes(brought))
        await wait_all_tasks_blocked()
        return found

    def included(self) -> tuple[IncludedCandidate, ...]:
        return self.chain.world.api.included_candidates(self.chain.world.state)


@asynccontextmanager
async def living(
    chain: RelayChain,
    database: MemoryDatabase,
    *,
    own: int | None = None,
    finds: CheckVerdict | None = None,
    keys: KeyStore | None = None,
    initial: Sequence[Header] = (),
) -> AsyncIterator[Life]:
    keys = keys or key_store(*(() if own is None else (own,)))
    submitted: list[Extrinsic] = []

    def submit(extrinsic: Extrinsic) -> bool:
        submitted.append(extrinsic)
        return True

    remote = RemoteDisputing(keys, chain.genesis.hash(), submit)
    coordinator = DisputeCoordinator(database, keys, VERIFIER, remote)
    others = Others(finds)
    subsystems = [coordinator, others, ChainApi(chain), RuntimeApi(chain.state_of)]
    overseer = make_overseer(subsystems)
    async with running(overseer, [chain.leaf(header) for header in initial]):
        await wait_all_tasks_blocked()
        yield Life(overseer, others, chain, submitted)


def with_included(chain: RelayChain) -> tuple[list[Header], IncludedCandidate]:
    """Blocks that back and include a candidate of para 1."""
    backed, _ = chain.candidate(1)
    headers = [chain.add(backed=[backed]), chain.add(vote=True)]
    (record,) = chain.world.api.included_candidates(chain.world.state)
    return headers, record


def contested(record: IncludedCandidate, *against: int) -> DisputeStatementSet:
    """A backer's statement, and votes against it."""
    (backing,) = backings(record)[:1]
    denials = [signed(record.key(), AGAINST, each) for each in against]
    return DisputeStatementSet(record.key()[1], record.key()[0], (backing, *denials))


def backings(record: IncludedCandidate) -> list[SignedDisputeStatement]:
    parent = record.receipt.descriptor.relay_parent
    kinds: list[BackingSeconded | BackingValid] = [BackingSeconded(parent)]
    kinds += [BackingValid(parent)] * (len(record.backers) - 1)
    made = zip(kinds, record.backers, strict=True)
    return [signed(record.key(), VoteValid(kind), backer) for kind, backer in made]


def stored(database: MemoryDatabase, record: IncludedCandidate) -> set[tuple[int, str]]:
    """Who has said what of the candidate, by what is on disk."""
    (dispute,) = [each for each in DisputeStore(database).disputes() if each.key == record.key()]
    return {(validator, form.name.lower()) for validator, form in dispute.statements}


async def test_backing_in_a_block_counts_when_somebody_disputes_the_candidate() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    async with living(chain, database, own=outsiders(record)[1]) as life:
        await life.hears(*headers)
        assert not DisputeStore(database).disputes()
        (verdict,) = await life.is_brought(contested(record, outsiders(record)[0]))
        assert verdict is VotesVerdict.NEW
    backing = {(backer, "backing") for backer in record.backers}
    assert stored(database, record) == backing | {(outsiders(record)[0], "invalid")}


async def test_what_is_disputed_is_checked_where_it_is_known_and_the_vote_goes_to_all() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    accuser, own = outsiders(record)[:2]
    async with living(chain, database, own=own, finds=CheckVerdict.INVALID) as life:
        await life.hears(*headers)
        await life.is_brought(contested(record, accuser))
        (check,) = life.others.checked
        assert (check.receipt, check.session) == (record.receipt, record.session)
        assert check.backers == tuple(sorted(record.backers))
        assert check.known_at == headers[1].hash(), "the including block knows code and session"
        (told,) = life.others.distributed
        assert told.statements.statements == (
            signed(record.key(), AGAINST, own),
            backings(record)[0],
        )
    assert (own, "invalid") in stored(database, record)


async def test_what_is_disputed_before_a_block_backs_it_waits_for_its_inclusion() -> None:
    """Its backing counts at once; but three of twelve stop nobody from including it, and nobody
    looks for data that may not be there."""
    chain, database = relay_chain(), MemoryDatabase()
    made, _ = chain.candidate(1)
    backed = chain.world.back(made.candidate, positions=(0, 1))
    backing, including = chain.add(backed=[backed]), chain.add(vote=True)
    (record,) = chain.world.api.included_candidates(chain.world.state)
    own, accuser = outsiders(record)[:2]
    async with living(chain, database, own=own, initial=[chain.genesis]) as life:
        assert await life.is_brought(contested(record, accuser)) == (VotesVerdict.NEW,)
        await life.hears(backing)
        said = {(backer, "backing") for backer in record.backers}
        assert stored(database, record) == said | {(accuser, "invalid")}
        barred = await life.overseer.ask(BarredCandidates((record.key()[1],)))
        assert not life.others.checked and barred == frozenset()
        await life.hears(including)
        assert [check.receipt for check in life.others.checked] == [record.receipt]


@pytest.mark.guide("A56", "A57")
async def test_checks_that_no_block_has_are_votes_when_the_candidate_is_disputed() -> None:
    """Who has approved an invalid candidate is not spared because its fork was left before a block
    said so; and this node's own check is its vote. What was said meanwhile is heard in the end."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    own, accuser, hasty, late, *others = outsiders(record)
    async with living(chain, database, own=own) as life:
        life.others.approvals = approvals(record, own, hasty)
        await life.hears(*headers)
        await life.is_brought(contested(record, accuser))
        approved = {(own, "valid"), (hasty, "valid")}
        backed = {(each, "backing") for each in record.backers}
        assert stored(database, record) == {*backed, *approved, (accuser, "invalid")}
        (told,) = life.others.distributed
        assert told.statements.statements[0] == signed(record.key(), CHECKED, own)
        life.others.approvals = approvals(record, own, hasty, late)
        more = contested(record, accuser)
        vouching = [signed(record.key(), FOR, each) for each in others]
        await life.is_brought(replace(more, statements=(*vouching, more.statements[-1])))
        assert (late, "valid") in stored(database, record)


def approvals(record: IncludedCandidate, *validators: int) -> tuple[Approval, ...]:
    found = (signed(record.key(), CHECKED, each) for each in validators)
    return tuple(Approval(validator, signature) for _, validator, signature in found)


async def test_a_lack_of_data_is_no_vote_and_is_tried_again_later(
    autojump_clock: MockClock,
) -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    accuser, own = outsiders(record)[:2]
    async with living(chain, database, own=own, finds=CheckVerdict.UNAVAILABLE) as life:
        await life.hears(*headers)
        await life.is_brought(contested(record, accuser))
        assert not life.others.distributed
        life.others.finds = CheckVerdict.VALID
        await trio.sleep(CHECK_AGAIN_S + 1)
        assert len(life.others.checked) == 2 and len(life.others.distributed) == 1
    assert (own, "valid") in stored(database, record)


@pytest.mark.guide("A56", "A58")
async def test_votes_of_all_forks_are_read_and_brought_to_each_that_lacks_them() -> None:
    """One fork has the whole dispute in its blocks. On the other the candidate was never included:
    what an author brings there concludes it in one transaction."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    against = outsiders(record)
    headers.append(chain.add(disputes=[votes(record.key(), against=against[:4])]))
    headers.append(chain.add(disputes=[votes(record.key(), against=against[4:])]))
    assert dict(chain.world.api.disputes(chain.world.state))[record.key()].outcome is (
        DisputeOutcome.INVALID
    )
    chain.on(chain.genesis)
    other = chain.add(salt=1)
    async with living(chain, database, own=outsiders(record)[0]) as life:
        await life.hears(*headers, other)
        ask = life.overseer.ask
        assert (await ask(DisputesForChain(headers[-1].hash()))).disputes == ()
        brought = await ask(DisputesForChain(other.hash()))
        data = replace(chain.on(other).data(), disputes=brought.disputes)
        taken = sanitize(chain.world.host, chain.world.state, data).inherent.disputes
        assert taken == brought.disputes and len(taken) == 1
        chain.add(disputes=taken)
        state = dict(chain.world.api.disputes(chain.world.state))[record.key()]
        assert state.outcome is DisputeOutcome.INVALID
        assert state.validators_against.ones() == sorted(against)
        assert state.backers.ones() == sorted(record.backers), "who backed it pays here too"


@pytest.mark.guide("A64", "A109")
async def test_a_late_voter_is_not_said_to_have_been_silent() -> None:
    """Though there was a supermajority before: the verdict is by all that the fork has taken."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    accuser, late, silent, *others = outsiders(record)
    concluding = chain.add(disputes=[votes(record.key(), valid=others, against=[accuser])])
    headers += [concluding, chain.add(disputes=[votes(record.key(), valid=[late])])]
    async with living(chain, database, own=silent) as life:
        await life.hears(*headers)
        assert life.others.moved and not life.others.settled
        await life.hears(*[chain.add() for _ in range(LATE + 1)])
        (settled,) = life.others.settled
    assert settled.outcome is DisputeOutcome.VALID and settled.validators == VALIDATORS
    assert settled.votes.invalid == {accuser}
    assert settled.votes.silent(VALIDATORS) == (silent,)


def with_account(validator: int) -> KeyStore:
    """The keys of a validator, with that of its account."""
    ring = KeyRing()
    for role in (KeyType.PARACHAIN, KeyType.ACCOUNT):
        ring.add(role, keypair(validator_name(validator)))
    return ProtectedKeyStore(ring, MemoryDatabase())


@pytest.mark.guide("A59")
async def test_what_is_undecided_elsewhere_is_disputed_by_a_transaction() -> None:
    """Once in its lifetime, on the fork that lacks it, with all that the chain wants to know."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    own = outsiders(record)[0]
    chain.on(chain.genesis)
    others = [chain.add(salt=1)]
    others.append(chain.add(salt=1))
    async with living(chain, database, keys=with_account(own)) as life:
        await life.hears(*headers)
        life.overseer.send(IssueVote(record.session, record.receipt))
        await wait_all_tasks_blocked()
        assert not life.submitted, "here it is included: blocks bring it"
        await life.hears(*others)
        (submitted,) = life.submitted
    extrinsic = decode_extrinsic(submitted)
    assert extrinsic.signature is not None and extrinsic.signature.extra.era is not None
    assert isinstance(extrinsic.call, DisputeRemotely)
    dispute = extrinsic.call.dispute
    assert (dispute.receipt, dispute.session) == (record.receipt, record.session)
    assert dispute.including_header == headers[1] and dispute.core == record.core
    assert {validator for _, validator, _ in dispute.statements} == {*record.backers, own}
    brought = replace(dispute, including_header=FOREIGN)
    bring(chain.on(others[-1]), brought)
    ((key, _),) = chain.world.api.remote_disputes(chain.world.state)
    assert key == record.key()


async def test_without_an_account_nobody_disputes_remotely() -> None:
    chain = relay_chain()
    headers, record = with_included(chain)
    chain.on(chain.genesis)
    other = chain.add(salt=1)
    async with living(chain, MemoryDatabase(), own=outsiders(record)[0]) as life:
        await life.hears(*headers)
        life.overseer.send(IssueVote(record.session, record.receipt))
        await life.hears(other)
        assert not life.submitted


def disputing_remotely(chain: RelayChain) -> tuple[Header, RemoteDispute]:
    """A block on which it is asked who holds the chunks of what is included nowhere here."""
    world = chain.world
    dispute = brought(world, receipt(world), against=others(world)[:1])
    bring(world, dispute)
    chain.headers[world.parent], chain.states[world.parent] = world.header, world.state
    chain.bodies[world.parent] = ()
    return world.header, dispute


@pytest.mark.guide("A60")
async def test_who_lacks_its_chunk_of_what_a_fork_asks_for_gets_it_and_says_so() -> None:
    """Not before it has it; tried again when time has passed and another block has come."""
    chain = relay_chain()
    asking, dispute = disputing_remotely(chain)
    own = others(chain.world)[1]
    async with living(chain, MemoryDatabase(), own=own) as life:
        await life.hears(asking)
        (wanted,) = life.others.obtained
        assert (wanted.receipt, wanted.own) == (dispute.receipt, own)
        assert wanted.validators == chain.world.validators
        assert list(wanted.backers) == sorted(backers(chain.world))
        assert not life.others.holding
        life.others.obtains = True
        await life.hears(chain.add())
        assert len(life.others.obtained) == 1, "not at once"
    async with living(chain, database := MemoryDatabase(), own=own) as life:
        life.others.obtains = True
        await life.hears(asking, chain.add())
        assert len(life.others.obtained) == len(life.others.holding) == 1, "once"
        (said,) = life.others.holding
        assert (said.candidate, said.validator) == (dispute.receipt.hash(), own)
        brought_next = await life.overseer.ask(DisputesForChain(chain.world.parent))
        chain.add(availability=brought_next.availability)
    ((_, state),) = chain.world.api.remote_disputes(chain.world.state)
    assert state.availability_votes.ones() == [own]
    assert DisputeStore(database).holders((dispute.session, dispute.receipt.hash()))


@pytest.mark.guide("A60")
async def test_nobody_looks_for_what_only_somebody_disputes_who_has_lost_before() -> None:
    """On another fork, where the chain does not know it."""
    world = World(validators=VALIDATORS, parachains=range(1, 7), validity=CONFIG)
    chain = RelayChain(world)
    accuser, own = others(world)[:2]
    headers, record = with_included(chain)
    voters = [each for each in outsiders(record) if each != accuser]
    headers.append(chain.add(disputes=[votes(record.key(), valid=voters, against=[accuser])]))
    chain.on(chain.genesis)
    asking, _ = disputing_remotely(chain)
    async with living(chain, MemoryDatabase(), own=own) as life:
        await life.hears(*headers)
        await life.hears(asking)
        assert not life.others.obtained
    async with living(chain, MemoryDatabase(), own=own) as life:
        await life.hears(asking)
        assert len(life.others.obtained) == 1


async def test_who_is_none_of_the_session_gets_no_chunk() -> None:
    chain = relay_chain()
    asking, _ = disputing_remotely(chain)
    async with living(chain, MemoryDatabase(), own=VALIDATORS) as life:
        await life.hears(asking)
        assert not life.others.obtained and not life.others.holding


async def test_nobody_is_told_to_build_on_what_is_disputed() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    empty = BlockCandidates(headers[0].hash(), ())
    including = BlockCandidates(headers[1].hash(), (record.key()[1],))
    base = chain.genesis.hash()
    async with living(chain, database, own=outsiders(record)[0]) as life:
        await life.hears(*headers)
        ask = life.overseer.ask
        assert await ask(UndisputedChain(base, (empty, including))) == including.block
        await life.is_brought(contested(record, outsiders(record)[1]))
        assert await ask(UndisputedChain(base, (empty, including))) == empty.block
        assert await ask(UndisputedChain(base, (including,))) == base
        both = (record.key()[1], CandidateHash(base))
        assert await ask(BarredCandidates(both)) == {record.key()[1]}
        vouching = [signed(record.key(), FOR, each) for each in range(9)]
        more = contested(record, outsiders(record)[1])
        await life.is_brought(replace(more, statements=(*vouching, more.statements[-1])))
        assert await ask(UndisputedChain(base, (empty, including))) == including.block
        assert await ask(BarredCandidates(both)) == frozenset()


async def test_a_failed_check_disputes_and_a_second_one_says_nothing_new() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    own = outsiders(record)[0]
    async with living(chain, database, own=own) as life:
        await life.hears(*headers)
        for _ in range(2):
            life.overseer.send(IssueVote(record.session, record.receipt))
            await wait_all_tasks_blocked()
        (told,) = life.others.distributed
        assert told.statements.statements[0] == signed(record.key(), AGAINST, own)


async def test_what_is_asked_about_a_block_that_is_no_leaf_is_dropped() -> None:
    chain = relay_chain()
    async with living(chain, MemoryDatabase(), own=0) as life:
        with pytest.raises(Unanswered):
            await life.overseer.ask(DisputesForChain(chain.genesis.hash()))


async def test_a_node_without_a_validators_key_does_nothing() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    headers.append(chain.add(disputes=[votes(record.key(), against=outsiders(record)[:1])]))
    async with living(chain, database) as life:
        await life.hears(*headers)
        assert not life.others.checked and not list(database.scan(READ_BLOCKS))


async def test_a_node_that_is_given_a_validators_key_takes_part_from_then_on() -> None:
    chain, database, keys = relay_chain(), MemoryDatabase(), key_store()
    headers, record = with_included(chain)
    accuser, own = outsiders(record)[:2]
    async with living(chain, database, keys=keys, finds=CheckVerdict.INVALID) as life:
        await life.hears(*headers)
        seed = blake2_256(validator_name(own).encode())
        keys.insert(KeyType.PARACHAIN, f"0x{seed.hex()}")
        await life.hears(chain.add())
        await life.is_brought(contested(record, accuser))
    assert (own, "invalid") in stored(database, record)


async def test_what_no_fork_judges_any_more_is_gone_from_the_disk() -> None:
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    async with living(chain, database, own=outsiders(record)[0]) as life:
        await life.hears(*headers)
        await life.is_brought(contested(record, outsiders(record)[1]))
        assert DisputeStore(database).testimony(record.key()) is not None
        while chain.world.api.session_info(chain.world.state, record.session) is not None:
            await life.hears(chain.add(new_session=VALIDATORS))
        await life.hears(chain.add())
    store = DisputeStore(database)
    assert not store.disputes() and store.testimony(record.key()) is None


# Who has lost a dispute


def with_two_included(chain: RelayChain) -> tuple[list[Header], list[IncludedCandidate]]:
    """Of paras 1 and 2, backed by two of twelve each: with one who disputes it, as many have a part
    in it as may be liars."""
    backed = [
        chain.world.back(chain.candidate(para)[0].candidate, positions=(0, 1)) for para in (1, 2)
    ]
    headers = [chain.add(backed=backed), chain.add(vote=True)]
    return headers, list(chain.world.api.included_candidates(chain.world.state))


async def test_who_has_lost_a_dispute_is_heard_where_a_fork_has_taken_it_up() -> None:
    """Also after a start. What it disputes besides, nobody checks and no author brings."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, (lost, other) = with_two_included(chain)
    liar, own = [each for each in outsiders(lost) if each in outsiders(other)][:2]
    denial = contested(lost, liar)
    vouching = [
        signed(lost.key(), FOR, each) for each in outsiders(lost) if each not in (liar, own)
    ]
    outvoted = replace(denial, statements=(*vouching, denial.statements[-1]))
    async with living(chain, database, own=own, finds=CheckVerdict.UNAVAILABLE) as life:
        await life.hears(*headers)
        await life.is_brought(outvoted)
        checked = len(life.others.checked)
        await life.is_brought(contested(other, liar))
        brought = await life.overseer.ask(DisputesForChain(headers[-1].hash()))
        assert [each.candidate_hash for each in brought.disputes] == [lost.key()[1]]
        assert len(life.others.checked) == checked
        headers.append(chain.add(disputes=[votes(other.key(), against=[liar])]))
        await life.hears(headers[-1])
        assert [each.receipt for each in life.others.checked[checked:]] == [other.receipt]
    async with living(
        chain, database, own=own, finds=CheckVerdict.VALID, initial=headers[-1:]
    ) as life:
        assert other.receipt in [each.receipt for each in life.others.checked]
    assert (own, "valid") in stored(database, other)


# Restarts


class KilledHere(Exception):
    """The process ends."""


@pytest.mark.parametrize("lose", [0, 100])
async def test_killed_before_any_write_nothing_is_forgotten_or_contradicted(lose: int) -> None:
    """With the last writes lost, or not: what was told before, on disk, and in blocks is known
    afterwards; the vote is given once, and is the same one."""
    chain = relay_chain()
    headers, record = with_included(chain)
    accuser, own, late = outsiders(record)[:3]
    headers.append(chain.add(disputes=[votes(record.key(), against=[accuser])]))
    for writes in range(100):
        keys, database = key_store(own), MemoryDatabase()
        left = writes

        def kill(batch: Batch, durable: bool) -> None:
            nonlocal left
            if not left:
                raise KilledHere
            left -= 1

        database.before_write = kill
        answered: list[VotesVerdict] = []
        told: list[DistributeVotes] = []
        survived = False
        try:
            async with living(
                chain, database, keys=keys, finds=CheckVerdict.INVALID, initial=[chain.genesis]
            ) as life:
                told = life.others.distributed
                await life.hears(*headers)
                answered += await life.is_brought(contested(record, late))
                survived = True
        except* SubsystemFailed as failures:
            assert failures.subgroup(lambda it: isinstance(it.__cause__, KilledHere))
        database.before_write = None
        database = database.crash(lose=min(lose, database.unsynced))
        async with living(
            chain, database, keys=keys, finds=CheckVerdict.VALID, initial=headers[-1:]
        ) as life:
            again = life.others.distributed
        said = stored(database, record)
        assert {(accuser, "invalid"), *((each, "backing") for each in record.backers)} <= said
        assert not answered or (late, "invalid") in said
        own_votes = {what for who, what in said if who == own}
        assert len(own_votes) == 1 and len(again) == 1
        assert not told or told[0].statements.statements[0] == again[0].statements.statements[0]
        if survived:
            break
    assert survived and writes > 5


async def test_chain_selection_is_told_how_disputes_come_on_and_again_after_a_start() -> None:
    """Of 12 validators more than three against it are more than may be liars."""
    chain, database = relay_chain(), MemoryDatabase()
    headers, record = with_included(chain)
    own, *others = outsiders(record)
    async with living(chain, database, own=own) as life:
        await life.hears(*headers)
        await life.is_brought(contested(record, others[0]))
        assert life.others.moved[-1] == (*record.key(), False), "it is disputed"
        assert not any(leaning for _, _, leaning in life.others.moved)
        await life.is_brought(contested(record, *others[1:4]))
        assert life.others.moved[-1] == (*record.key(), True)
    async with living(chain, database, own=own) as life:
        assert life.others.moved == [(*record.key(), False)], "its session is not known yet"
        await life.hears(*headers)
        assert life.others.moved[-1] == (*record.key(), True)
