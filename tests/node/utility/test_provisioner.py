"""The Provisioner: what it hands out is always accepted (A103, A104, D15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.utility import (
    BlockAuthorshipData,
    ProvisionBackable,
    ProvisionBitfield,
    ProvisionMisbehavior,
    RequestBlockAuthorshipData,
)
from parahost.node.messages.validity import (
    BarredCandidates,
    ChainDisputes,
    ChecksForChain,
    DisputesForChain,
)
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.utility.provisioner import (
    MAX_MISBEHAVIOR,
    Provisioner,
    ProvisioningJob,
)
from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    ZERO_HASH,
    BabeId,
    CandidateHash,
    SessionIndex,
    Slot,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.consensus import BabeEquivocationProof
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.header import Header
from parahost.primitives.misbehavior import DoubleVote, MisbehaviorReport
from parahost.primitives.statements import (
    BackedCandidate,
    SignedCompactStatement,
    SigningContext,
    Valid,
)
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import NoteChecks
from tests.node.availability.world import RelayChain, hash_of
from tests.node.harness import ListJournal, make_overseer, running
from tests.node.validity.nodes import SLOT_S, CheckingNetwork, include
from tests.node.validity.nodes import relay_chain as checking_chain
from tests.runtime.parachains.test_disputes import CONFIG, votes
from tests.runtime.parachains.test_disputes import VALIDATORS as DISPUTING
from tests.runtime.parachains.test_remote_disputes import (
    bring,
    brought,
    held,
    receipt,
    remote_world,
)
from tests.runtime.parachains.world import World, para

VALIDATORS = 6


def relay_chain() -> RelayChain:
    return RelayChain(World(validators=VALIDATORS, parachains=[100, 101]))


class Validity(Subsystem):
    """Approval voting and the dispute coordinator: what they know that the chain lacks."""

    name = "validity"
    receives = (ChecksForChain, DisputesForChain, BarredCandidates)

    def __init__(
        self,
        checks: Sequence[SecondaryChecks] = (),
        disputes: ChainDisputes = ChainDisputes(),
        barred: Sequence[CandidateHash] = (),
    ) -> None:
        self.checks, self.disputes, self.barred = tuple(checks), disputes, frozenset(barred)

    def on_message(self, message: Message) -> None:
        match message:
            case ChecksForChain():
                message.reply.answer(self.checks)
            case DisputesForChain():
                message.reply.answer(self.disputes)
            case BarredCandidates(candidates):
                message.reply.answer(self.barred.intersection(candidates))


def node(
    chain: RelayChain,
    checks: Sequence[SecondaryChecks] = (),
    disputes: ChainDisputes = ChainDisputes(),
    barred: Sequence[CandidateHash] = (),
) -> Overseer:
    provisioner = Provisioner(partial(sanitize, chain.world.host))
    return make_overseer([provisioner, Validity(checks, disputes, barred)])


async def provide(
    chain: RelayChain, head: Header, messages: Sequence[Message]
) -> BlockAuthorshipData:
    overseer = node(chain)
    async with running(overseer, [chain.leaf(head)]):
        for message in messages:
            overseer.send(message)
        return await overseer.ask(RequestBlockAuthorshipData(head.hash()))


@pytest.mark.guide("A103", "A104")
async def test_it_hands_out_bitfields_and_the_first_candidate_of_each_para() -> None:
    chain = relay_chain()
    first, _ = chain.candidate(100, b"first")
    head = chain.add(backed=[first])
    world = chain.world
    early, _ = chain.candidate(101, b"early")
    late, _ = chain.candidate(101, b"late")
    empty, full = world.bitfield(2, []), world.bitfield(2, [0])
    votes = [world.bitfield(4, [0]), full, empty]
    hash_ = head.hash()
    data = await provide(
        chain,
        head,
        [
            *(ProvisionBitfield(hash_, vote) for vote in votes),
            ProvisionBackable(hash_, early),
            ProvisionBackable(hash_, late),
            ProvisionBitfield(ZERO_HASH, world.bitfield(1, [0])),  # nobody builds there
        ],
    )
    assert data.inherent.bitfields == (full, votes[0])  # the fullest, ascending
    assert [hash_of(c) for c in data.inherent.backed_candidates] == [hash_of(early)]
    assert data.inherent.parent_header == head
    world.add_block(data.inherent)


async def test_what_is_pending_and_may_be_invalid_is_not_included() -> None:
    """Who includes it makes a block on which nobody builds."""
    chain = relay_chain()
    barred, _ = chain.candidate(100)
    other, _ = chain.candidate(101)
    head = chain.add(backed=[barred, other])
    world = chain.world
    overseer = node(chain, barred=[hash_of(barred)])
    async with running(overseer, [chain.leaf(head)]):
        for index in range(len(world.validators)):
            overseer.send(ProvisionBitfield(head.hash(), world.bitfield(index, [0, 1])))
        data = await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    assert data.inherent.bitfields == ()
    world.add_block(data.inherent)
    assert world.api.included_candidates(world.state) == ()


async def test_votes_for_others_are_brought_beside_what_may_be_invalid() -> None:
    chain = relay_chain()
    barred, _ = chain.candidate(100)
    other, _ = chain.candidate(101)
    head = chain.add(backed=[barred, other])
    world = chain.world
    overseer = node(chain, barred=[hash_of(barred)])
    async with running(overseer, [chain.leaf(head)]):
        for index in range(len(world.validators)):
            overseer.send(ProvisionBitfield(head.hash(), world.bitfield(index, [1])))
        data = await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    world.add_block(data.inherent)
    (included,) = world.api.included_candidates(world.state)
    assert included.receipt.hash() == hash_of(other)


@pytest.mark.guide("A103")
async def test_a_backing_with_more_votes_replaces_its_like() -> None:
    chain = relay_chain()
    whole, _ = chain.candidate(100)
    part = chain.world.back(whole.candidate, positions=[0, 1])
    hash_ = chain.genesis.hash()
    messages = [ProvisionBackable(hash_, backed) for backed in (part, whole, part)]
    data = await provide(chain, chain.genesis, messages)
    assert data.inherent.backed_candidates == (whole,)


async def test_it_writes_down_why_a_candidate_stays_out() -> None:
    chain = relay_chain()
    early, _ = chain.candidate(101, b"early")
    late, _ = chain.candidate(101, b"late")
    head = chain.genesis
    overseer = node(chain)
    async with running(overseer, [chain.leaf(head)]):
        for backed in (early, late):
            overseer.send(ProvisionBackable(head.hash(), backed))
        await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    journal = overseer._journal
    assert isinstance(journal, ListJournal)
    (told,) = [fields for name, fields in journal.events if name == "provisioner.dropped"]
    reason = told.pop("reason")
    assert told == {"relay_parent": head.hash(), "candidate": hash_of(late), "para": 101}
    assert isinstance(reason, str) and "core 1" in reason


def test_of_each_para_eight_candidates_are_kept_and_of_each_the_most_votes() -> None:
    chain = relay_chain()
    whole, _ = chain.candidate(100, b"0")
    part = chain.world.back(whole.candidate, positions=[0, 1])
    others = [chain.candidate(100, b"%d" % number)[0] for number in range(1, 9)]
    elsewhere, _ = chain.candidate(101)
    job = ProvisioningJob(chain.leaf(chain.genesis))
    for backed in (part, *others, whole, elsewhere):
        job.add_backable(backed)
    assert job.all_backable() == (whole, *others[:7], elsewhere)


@pytest.mark.guide("A103")
async def test_the_newest_reports_of_misbehaviour_are_handed_out() -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    signature = ValidatorSignature(H512(bytes(64)))
    vote = Valid(hash_of(candidate))
    reports = [
        DoubleVote(
            SigningContext(SessionIndex(U32(1)), ZERO_HASH),
            SignedCompactStatement(vote, ValidatorIndex(U32(number)), signature),
            SignedCompactStatement(vote, ValidatorIndex(U32(number)), signature),
        )
        for number in range(MAX_MISBEHAVIOR + 1)
    ]
    header = chain.genesis
    equivocation = BabeEquivocationProof(
        BabeId(ZERO_HASH), Slot(U64(1)), header, replace(header, state_root=ZERO_HASH)
    )
    everything: tuple[MisbehaviorReport, ...] = (equivocation, *reports)
    said = [ProvisionMisbehavior(report) for report in everything]
    data = await provide(chain, chain.genesis, said)
    assert len(reports) == 65
    assert data.misbehavior == (equivocation, *reports[1:]), "the gravest first, and kept"


@pytest.mark.guide("A104")
async def test_a_head_that_is_worked_on_no_more_has_no_inherent() -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    overseer = node(chain)
    head = chain.genesis
    async with running(overseer, [chain.leaf(head)]):
        overseer.send(ProvisionBackable(head.hash(), candidate))
        request = RequestBlockAuthorshipData(head.hash())
        assert (await overseer.ask(request)).inherent.backed_candidates
        overseer.block_imported(chain.leaf(chain.add()))
        await trio.testing.wait_all_tasks_blocked()
        for left in (head.hash(), ZERO_HASH):
            with pytest.raises(Unanswered):
                await overseer.ask(RequestBlockAuthorshipData(left))


CHAIN = relay_chain()
_PENDING, _ = CHAIN.candidate(100)
HEAD = CHAIN.add(backed=[_PENDING])
GOOD = [CHAIN.candidate(101, b"proof %d" % number)[0] for number in range(3)]


def damaged(candidate: BackedCandidate, way: int) -> BackedCandidate:
    """Wrong in some way, or for way 0 as it is."""
    if way == 1:
        return replace(candidate, validity_votes=candidate.validity_votes[:-1])
    if way == 2:
        descriptor = replace(candidate.candidate.descriptor, relay_parent=ZERO_HASH)
        return replace(candidate, candidate=replace(candidate.candidate, descriptor=descriptor))
    return _PENDING if way == 3 else candidate


def vote(validator: int, cores: list[int], length: int) -> SignedAvailabilityBitfield:
    return CHAIN.on(HEAD).bitfield(validator, [c for c in cores if c < length], length=length)


VOTES = st.builds(
    vote,
    st.integers(0, VALIDATORS - 1),
    st.lists(st.integers(0, 2), max_size=3, unique=True),
    st.sampled_from([2, 2, 2, 1, 3]),
)


@pytest.mark.guide("A104")
@settings(max_examples=40)
@given(
    votes=st.lists(VOTES, max_size=8),
    candidates=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=5),
)
def test_whatever_comes_in_the_runtime_accepts_what_goes_out(
    votes: list[SignedAvailabilityBitfield], candidates: list[tuple[int, int]]
) -> None:
    messages: list[Message] = [ProvisionBitfield(HEAD.hash(), vote) for vote in votes]
    given_candidates = [damaged(GOOD[which], way) for which, way in candidates]
    messages += [ProvisionBackable(HEAD.hash(), backed) for backed in given_candidates]
    data = trio.run(provide, CHAIN, HEAD, messages)
    CHAIN.on(HEAD).add_block(data.inherent)  # raises when anything in it is wrong
    if any(way == 0 for _, way in candidates):
        assert len(data.inherent.backed_candidates) == 1


@pytest.mark.guide("A103", "A104")
async def test_it_hands_out_of_the_checks_what_the_chain_takes(autojump_clock: MockClock) -> None:
    """What is not included here, or is not known of the session, stays out."""
    chain = checking_chain()
    block, _ = include(chain, 100, 101)
    network = CheckingNetwork(chain, range(VALIDATORS))
    async with network.running(block):
        await trio.sleep(2 * SLOT_S)
        await network.imports(head := chain.add())
        good = await network.nodes[0].overseer.ask(ChecksForChain(head.hash()))
    bad = replace(good[0], candidate_hash=CandidateHash(H256(bytes(32))))
    overseer = node(chain, (bad, *good))
    async with running(overseer, [chain.leaf(head)]):
        data = await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    assert len(good) == 2
    assert data.checks == NoteChecks(good)
    chain.on(head).add_block(data.inherent, checks=data.checks.checks)


@pytest.mark.guide("A58")
async def test_disputes_are_brought_and_the_block_is_accepted_whatever_they_conclude() -> None:
    """The author has a candidate for the core of one that is found invalid in that very block, and
    one more that is disputed elsewhere. Of what nobody has vouched for there is no dispute."""
    chain = RelayChain(
        World(validators=DISPUTING, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4)
    )
    pending, _ = chain.candidate(1)
    head = chain.add(backed=[pending])
    world = chain.world
    key = SessionIndex(U32(0)), hash_of(pending)
    groups = world.host.scheduler.validator_groups.get(world.state)
    loser = groups[world.assignment(4).group_idx][0]  # may back none of the candidates below
    against = [each for each in range(DISPUTING) if each != loser][:9]
    concluded = votes(key, against=against, valid=[loser])
    occupant = world.host.inclusion.pending_availability.get(world.state, para(1))
    assert occupant is not None
    again = world.back(world.receipt(1, head=b"again"), group=occupant.backing_group)
    candidates = [again, *(chain.candidate(number)[0] for number in (2, 3))]
    elsewhere = votes((SessionIndex(U32(9)), key[1]), against=against, valid=[loser])
    one_sided = votes((key[0], CandidateHash(H256(bytes(32)))), against=against)
    known = ChainDisputes((elsewhere, one_sided, concluded))
    overseer = node(chain, disputes=known, barred=[hash_of(candidates[2])])
    async with running(overseer, [chain.leaf(head)]):
        for index in range(DISPUTING):
            overseer.send(ProvisionBitfield(head.hash(), world.bitfield(index, [0])))
        for backed in candidates:
            overseer.send(ProvisionBackable(head.hash(), backed))
        data = await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    assert data.inherent.disputes == (concluded,), "the session, or who vouches, is not known"
    assert data.inherent.backed_candidates == tuple(candidates[:2])
    world.add_block(data.inherent)
    assert dict(world.api.disputes(world.state))[key].outcome is DisputeOutcome.INVALID


@pytest.mark.guide("A60")
async def test_who_holds_what_is_disputed_elsewhere_is_brought_beside_checks() -> None:
    chain = RelayChain(remote_world())
    key = bring(chain.world, brought(chain.world, receipt(chain.world), against=[11]))
    chain.headers[chain.world.parent] = chain.world.header
    chain.states[chain.world.parent] = chain.world.state
    head = chain.world.header
    known = ChainDisputes(availability=(held(key, 0, 1, 2),))
    overseer = node(chain, disputes=known)
    async with running(overseer, [chain.leaf(head)]):
        data = await overseer.ask(RequestBlockAuthorshipData(head.hash()))
    assert data.checks == NoteChecks((), known.availability)
    chain.world.add_block(data.inherent, availability=data.checks.availability)
