"""Approval voting and distribution in nodes: from the announcement to what a block brings."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from parahost.node.messages.base import Unanswered
from parahost.node.messages.network import PeerMessage
from parahost.node.messages.validity import (
    ApprovalNetwork,
    ApprovedAncestor,
    ChecksForChain,
    CheckVerdict,
)
from parahost.node.validity.approval_rules import ApprovalGossip
from parahost.node.validity.followed_blocks import FORKS_WITHIN
from parahost.ports import KeyType, promises
from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    Hash,
    SessionIndex,
)
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from parahost.runtime import api
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import NoteChecks
from tests.node.harness import running
from tests.node.validity.nodes import (
    NO_SHOW_S,
    SLOT_S,
    CheckingNetwork,
    CheckingNode,
    include,
    relay_chain,
)
from tests.runtime.parachains.world import validator_ids

ALL = range(6)


def ref(block: Header) -> tuple[Hash, BlockNumber]:
    return block.hash(), block.number


@pytest.mark.guide("A54")
async def test_included_candidates_are_checked_and_approved_by_all(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    block, candidates = include(chain, 100, 101)
    network = CheckingNetwork(chain, ALL)
    async with network.running(block):
        await trio.sleep(SLOT_S + 1)
        for node in network.nodes.values():
            assert sorted(map(str, node.approved())) == sorted(map(str, candidates))
            assert len(node.checker.asked) == len(set(node.checker.asked))
            assert not node.wires.reports or all(
                change.value > 0 for _, change in node.wires.reports
            )
            base, target = ref(chain.genesis), ref(block)
            assert await node.overseer.ask(ApprovedAncestor(base, target)) == target
    backers = {
        c.receipt.hash(): c.backers for c in chain.world.api.included_candidates(chain.world.state)
    }
    for index, node in network.nodes.items():
        assert not any(index in backers[candidate] for candidate in node.checker.asked)


async def test_what_is_known_comes_to_be_accepted_on_the_chain(autojump_clock: MockClock) -> None:
    """The next author brings it all; the one after it brings nothing again."""
    chain = relay_chain()
    block, candidates = include(chain, 100, 101)
    network = CheckingNetwork(chain, ALL)
    async with network.running(block):
        node = network.nodes[0]
        await trio.sleep(2 * SLOT_S)
        head = chain.add()
        await network.imports(head)
        await trio.sleep(1)
        checks = await node.overseer.ask(ChecksForChain(head.hash()))
        host, world = chain.world.host, chain.world
        taken = sanitize(host, world.state, world.data(), NoteChecks(checks)).checks
        assert {each.candidate_hash for each in taken.checks} == set(candidates)
        assert taken.checks == checks, "nothing is brought that is not taken"
        world.add_block(checks=taken.checks)
        keys = [each.key() for each in api.included_candidates(world.state)]
        assert api.awaiting_checks(world.state, tuple(keys)) == ()
        chain.headers[world.parent], chain.states[world.parent] = world.header, world.state
        await network.imports(world.header)
        assert await node.overseer.ask(ChecksForChain(world.parent)) == ()
        with pytest.raises(Unanswered):
            await node.overseer.ask(ChecksForChain(head.hash()))


async def test_checkers_that_fall_silent_are_covered(autojump_clock: MockClock) -> None:
    """Those of the first tranche announce themselves, and deliver nothing."""
    chain = relay_chain(validators=8)
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, range(8))
    for node in network.nodes.values():
        node.checker.answers = False
    async with network.running(block):
        await trio.sleep(0.05)
        silent = [node for node in network.nodes.values() if node.announced()]
        assert silent
        for node in network.nodes.values():
            node.checker.answers = node not in silent
        await trio.sleep(SLOT_S)
        assert not any(node.approved() for node in network.nodes.values())
        await trio.sleep(NO_SHOW_S + SLOT_S)
        for node in network.nodes.values():
            assert node.approved() == [candidate]
            assert "approval.no_shows" in node.journal.names()


async def test_what_a_check_finds_invalid_goes_to_the_dispute_coordinator(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    for node in network.nodes.values():
        node.checker.verdict = CheckVerdict.INVALID
    async with network.running(block):
        await trio.sleep(5 * SLOT_S)
        for node in network.nodes.values():
            assert node.approved() == []
            assert node.coordinator.disputed == node.checker.asked
            base, target = ref(chain.genesis), ref(block)
            (held, number) = await node.overseer.ask(ApprovedAncestor(base, target))
            assert number == block.number - 1
            assert held == block.parent_hash
    assert any(node.checker.asked == [candidate] for node in network.nodes.values())


async def test_nobody_approves_what_it_has_called_invalid(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    for index, node in network.nodes.items():
        node.keys.sign(
            KeyType.PARACHAIN,
            validator_ids(6)[index],
            approval_payload(candidate, SessionIndex(U32(0)), valid=False),
            [promises.verdict(candidate, valid=False)],
        )
    async with network.running(block):
        await trio.sleep(2 * SLOT_S)
        checkers = [node for node in network.nodes.values() if node.checker.asked]
        assert checkers
        for node in checkers:
            assert "approval.refused" in node.journal.names()
            assert "approval.checked" not in node.journal.names()


# Restarts


async def test_a_node_that_starts_again_goes_on(autojump_clock: MockClock) -> None:
    """All at once, after some were announced and nobody had checked: nothing is lost."""
    chain = relay_chain()
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    for node in network.nodes.values():
        node.checker.answers = False
    async with network.running(block):
        await trio.sleep(1.5)
        assert any(node.announced() for node in network.nodes.values())
    again = CheckingNetwork(chain, ())
    for index, node in network.nodes.items():
        again.nodes[index] = CheckingNode(
            index, chain, again.by_peer, keys=node.keys, database=node.database
        )
    async with again.running(block):
        await trio.sleep(2 * SLOT_S)
        assert all(node.approved() == [candidate] for node in again.nodes.values())


async def test_a_check_made_before_a_restart_is_not_made_again(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    block, _ = include(chain, 100, 101)
    network = CheckingNetwork(chain, ALL)
    async with network.running(block):
        await trio.sleep(2 * SLOT_S)
    again = CheckingNetwork(chain, ())
    for index, node in network.nodes.items():
        again.nodes[index] = CheckingNode(
            index, chain, again.by_peer, keys=node.keys, database=node.database
        )
    async with again.running(block):
        await trio.sleep(3 * SLOT_S)
        for index, node in again.nodes.items():
            assert len(node.approved()) == 2
            made = network.nodes[index].checker.asked
            assert not set(node.checker.asked) & set(made)
            assert not made or "approval.checked" in node.journal.names()


async def test_what_is_final_and_not_accepted_is_brought_after_a_restart(
    autojump_clock: MockClock,
) -> None:
    """Nobody speaks of it any more: each validator brings its own check, when it authors."""
    chain = relay_chain()
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    async with network.running(block):
        await trio.sleep(2 * SLOT_S)
        network.finalizes(block)
        await trio.sleep(0.1)
    brought = set()
    for index, node in network.nodes.items():
        alone = CheckingNode(index, chain, {}, keys=node.keys, database=node.database)
        async with running(alone.overseer, [chain.leaf(block)]):
            await trio.sleep(3 * SLOT_S)
            for checks in await alone.overseer.ask(ChecksForChain(block.hash())):
                assert checks.candidate_hash == candidate
                brought |= {approval.validator_index for approval in checks.approvals}
    record = chain.world.api.included_candidates(chain.world.state)[0]
    assert brought == set(ALL) - set(record.backers)


@pytest.mark.guide("A53")
@pytest.mark.parametrize("needed", [0, 2])
async def test_a_start_long_after_the_last_finality_meets_what_the_chain_records(
    needed: int, autojump_clock: MockClock
) -> None:
    """What needs no checks was accepted, and its acceptance period is over: nobody looks at it.
    What needs some, and has none, is taken up, its block's neighbours are not."""
    chain = relay_chain(needed=needed, acceptance_period=BlockNumber(U32(3)))
    block, (candidate,) = include(chain, 100)
    for _ in range(3 * FORKS_WITHIN):
        head = chain.add()
    network = CheckingNetwork(chain, ALL)
    async with network.running(head):
        node = network.nodes[0]
        base, target = ref(chain.genesis), ref(head)
        await trio.sleep(0.01)
        followed = {each.number for each in node.voting._machine._blocks}
        near = range(head.number - FORKS_WITHIN, head.number + 1)
        assert followed == {*near, *([block.number] if needed else [])}
        assert len(node.distribution._gossip._topics) == len(followed)
        answer = await node.overseer.ask(ApprovedAncestor(base, target))
        assert answer == ((block.parent_hash, block.number - 1) if needed else target)
        await trio.sleep(3 * SLOT_S)
        assert node.approved() == ([candidate] if needed else [])
        assert await node.overseer.ask(ApprovedAncestor(base, target)) == target


@pytest.mark.guide("A53")
async def test_what_is_done_with_is_forgotten_by_all_and_heard_without_blame(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain(needed=0, acceptance_period=BlockNumber(U32(3)))
    block, _ = include(chain, 100)
    network = CheckingNetwork(chain, range(2))
    async with network.running(block):
        for _ in range(3 + FORKS_WITHIN + 2):
            await network.imports(chain.add())
        await trio.sleep(0.1)
        for node in network.nodes.values():
            assert not node.voting._machine.follows(block.hash())
            assert block.hash() not in node.distribution._gossip._topics
            assert not node.wires.reports
        late = encode(ApprovalGossip(block.hash(), ()))
        peer = network.nodes[1].peer
        network.nodes[0].overseer.send(ApprovalNetwork(PeerMessage(peer, late)))
        await trio.sleep(0.1)
        assert not network.nodes[0].wires.reports


# Gossip


async def test_who_comes_late_is_told(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    block, (candidate,) = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    late = network.nodes[5]
    others = [node for node in network.nodes.values() if node is not late]
    async with network.running(block):
        late.loses(*(node.peer for node in others))
        for node in others:
            node.loses(late.peer)
        await trio.sleep(SLOT_S)
        assert all(node.approved() for node in others)
        assert not late.approved()
        await network.imports(chain.add())
        await trio.sleep(1)
        assert candidate in late.approved()


async def test_what_is_final_is_not_spoken_of(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    block, _ = include(chain, 100)
    network = CheckingNetwork(chain, ALL)
    async with network.running(block):
        await trio.sleep(SLOT_S)
        network.finalizes(block)
        await trio.sleep(0.1)
        for node in network.nodes.values():
            assert not node.distribution._gossip._topics
            assert node.voting._machine.unsettled(), "the chain has heard of no check yet"
