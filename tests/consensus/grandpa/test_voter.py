"""Whole networks of voters, under loss, crashes, partitions and lies: safe always, live when at
most f of them fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from parahost.consensus.grandpa import BlockRef, JustificationError, verify_justification
from parahost.consensus.grandpa.catching_up import STALLED_AFTER
from parahost.consensus.grandpa.messages import (
    CatchUpRequest,
    CommitMessage,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
    compact,
    payload_of,
)
from parahost.consensus.grandpa.votes import commit_of
from parahost.consensus.turns import in_turns
from parahost.crypto import ed25519
from parahost.ports import NetworkEvent, Notification
from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BlockNumber,
    GrandpaId,
    GrandpaSignature,
    Hash,
    PeerId,
)
from parahost.primitives.consensus import (
    ForcedChange,
    GrandpaCommit,
    GrandpaConsensusLog,
    GrandpaJustification,
    Pause,
    Precommit,
    PrimaryPropose,
    Resume,
    ScheduledChange,
)
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header
from parahost.primitives.scale import decode, encode
from tests.consensus.grandpa.world import (
    GENESIS,
    Node,
    T,
    World,
    authorities,
    chain_of,
    child,
    ref,
)


@asynccontextmanager
async def world(seed: int, voters: int, others: int = 0) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        it = World(seed, nursery, voters, others)
        yield it
        it.assert_safe()
        it.assert_no_false_alarm()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("voters", [1, 2, 4, 7])
async def test_all_blocks_become_final(voters: int, autojump_clock: MockClock) -> None:
    async with world(1, voters, others=1) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(30)
        await it.until(10, within=20 * T)
        assert not any(node.port.reports for node in it.nodes)


@pytest.mark.parametrize("seed", range(4))
async def test_forks_and_loss(seed: int, autojump_clock: MockClock) -> None:
    async with world(seed, 4, others=1) as it:
        it.net.loss = 0.2
        for node in it.nodes:
            it.start(node)
        await it.produce(60, forks=0.4)
        await it.produce(9)  # forks of equal length only end when one grows
        await it.until_all_but_the_last(within=200 * T)
        await it.until(10, within=0.1)


@pytest.mark.parametrize("seed", range(3))
async def test_f_crashed_voters_stop_nothing(seed: int, autojump_clock: MockClock) -> None:
    async with world(seed, 7) as it:
        for node in it.nodes[:5]:
            it.start(node)
        await it.produce(30)
        await it.until(9, within=60 * T)


async def test_more_than_f_crashed_voters_stop_finality_until_they_are_back(
    autojump_clock: MockClock,
) -> None:
    async with world(1, 4) as it:
        for node in it.nodes[:2]:
            it.start(node)
        await it.produce(30)
        assert all(node.tree.finalized.number == 0 for node in it.nodes)
        for node in it.nodes[2:]:
            it.sync(node)
            it.start(node)
        await it.until(9, within=60 * T)


@pytest.mark.parametrize("seed", range(3))
async def test_a_partition_heals(seed: int, autojump_clock: MockClock) -> None:
    async with world(seed, 4) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(10)
        it.part(it.nodes[:2])
        await it.produce(40)
        stuck = max(node.tree.finalized.number for node in it.nodes)
        it.heal()
        tip = max(node.tree.best.number for node in it.nodes)
        assert tip > stuck + 3
        await it.produce(10)
        await it.until(tip, within=100 * T)


@pytest.mark.parametrize("seed", range(4))
async def test_voters_killed_at_any_moment_never_contradict_themselves(
    seed: int, autojump_clock: MockClock
) -> None:
    async with world(seed, 4) as it:
        it.net.loss = 0.05
        for node in it.nodes:
            it.start(node)
        it.nursery.start_soon(it.produce, 60, 3.0, 0.3)
        for _ in range(12):
            await trio.sleep(it.random.uniform(0.1, 5))
            victim = it.random.choice(it.nodes)
            it.crash(victim)
            lost = it.random.randint(0, victim.database.unsynced)
            victim.database = victim.database.crash(lose=lost)
            await trio.sleep(it.random.uniform(0.0, 3))
            it.sync(victim)
            it.start(victim)
        await trio.sleep(20)
        for node in it.nodes:
            it.sync(node)
        await it.produce(9)
        await it.until_all_but_the_last(within=200 * T)
        await it.until(10, within=0.1)
        assert not any(node.equivocations for node in it.nodes)


async def test_all_restart_at_once(autojump_clock: MockClock) -> None:
    async with world(2, 4) as it:
        for round_ in range(4):
            for node in it.nodes:
                it.start(node)
            await it.produce(7 + round_)
            for node in it.nodes:
                it.crash(node)
        for node in it.nodes:
            it.sync(node)
            it.start(node)
        await it.until(max(header.number for header in it.headers), within=60 * T)
        assert not any(node.equivocations for node in it.nodes)


async def test_a_late_node_follows_through_sets_by_commits(autojump_clock: MockClock) -> None:
    async with world(3, 4, others=1) as it:
        *voters, late = it.nodes
        for node in voters:
            it.start(node)
        await it.produce(10)
        for _ in range(3):
            it.publish(child(voters[0].tree.best, 7, change=change(it, voters)))
            await trio.sleep(3)
            await it.produce(12)
        await it.until(max(header.number for header in it.headers) - 1, voters, within=60 * T)
        assert voters[0].voter.authorities.set_id == 3
        it.sync(late)
        it.start(late)
        await it.until(voters[0].tree.finalized.number, [late], within=200 * T)
        assert late.voter.authorities.set_id == 3


def change(it: World, voters: list[Node], delay: int = 0) -> ScheduledChange:
    return ScheduledChange(authorities(voters), BlockNumber(U32(delay)))


@pytest.mark.parametrize("delay", [0, 2])
async def test_voters_change_in_the_middle(delay: int, autojump_clock: MockClock) -> None:
    async with world(4, 7) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(9)
        signal = child(it.nodes[0].tree.best, 99, change=change(it, it.nodes[2:6], delay))
        it.publish(signal)
        await trio.sleep(2)
        await it.produce(20)
        for node in it.nodes[:2]:
            it.crash(node)  # no voters any more, so that of four all may be needed but one
        await it.produce(10)
        await it.until(signal.number + 8, it.nodes[2:], within=60 * T)
        for node in it.nodes[2:]:
            effective = next(
                hash
                for hash in node.tree.history
                if hash in node.tree.justifications
                and number_of(node, hash) == signal.number + delay
            )
            block = BlockRef(effective, BlockNumber(U32(signal.number + delay)))
            await in_turns(
                verify_justification(
                    node.tree.justifications[effective], 0, it.authorities, it.verifier, block
                )
            )
            last = node.tree.justifications[node.tree.finalized_hash]
            await in_turns(verify_justification(last, 1, authorities(it.nodes[2:6]), it.verifier))
            with pytest.raises(JustificationError):
                await in_turns(verify_justification(last, 0, it.authorities, it.verifier))


def announcing(parent: Header, signal: GrandpaConsensusLog) -> Header:
    header = child(parent)
    log = Consensus(GRANDPA_ENGINE, encode(signal, GrandpaConsensusLog))
    return replace(header, digest=(*header.digest, log))


async def test_a_forced_change_goes_on_where_the_old_voters_stopped(
    autojump_clock: MockClock,
) -> None:
    """Two of four voters are gone for good, so nothing is final any more. Governance gives the
    votes to the two that are left; one of them restarts in between."""
    async with world(13, 4) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(12)
        await it.until(3, within=60 * T)
        for node in it.nodes[2:]:
            it.crash(node)
        left = it.nodes[:2]
        await it.produce(12)
        await trio.sleep(5)
        stopped = left[0].tree.finalized.number
        best = left[0].tree.best
        signal = ForcedChange(BlockNumber(U32(stopped)), authorities(left), BlockNumber(U32(2)))
        it.publish(announcing(best, signal), left)
        await trio.sleep(1)
        await it.produce(12)
        it.crash(left[1])
        it.start(left[1])
        await it.produce(6)
        await it.until(best.number + 3, left, within=60 * T)
        for node in left:
            assert node.voter.authorities.set_id == 1
            last = node.tree.justifications[node.tree.finalized_hash]
            await in_turns(verify_justification(last, 1, authorities(left), it.verifier))
        it.assert_safe()


async def test_a_pause_and_its_end(autojump_clock: MockClock) -> None:
    async with world(14, 4) as it:
        for node in it.nodes:
            it.start(node)
        pause = announcing(GENESIS, Pause(BlockNumber(U32(1))))
        blocks = [pause, *chain_of(pause, 4)]
        for block in blocks:
            it.publish(block)
        await it.until(2, within=60 * T)
        await trio.sleep(100)
        assert {node.tree.finalized.number for node in it.nodes} == {2}
        resume = announcing(blocks[-1], Resume(BlockNumber(U32(1))))
        for block in (resume, *chain_of(resume, 3)):
            it.publish(block)
        await it.until(resume.number + 2, within=60 * T)
        it.assert_safe()


async def test_an_equivocator_is_reported_and_changes_nothing(autojump_clock: MockClock) -> None:
    """The last voter's key is also held by a twin that sees another fork first."""
    async with world(5, 4) as it:
        for node in it.nodes:
            it.start(node)
        liar = it.nodes[3]
        pair = ed25519.Keypair.from_uri("//voter3")

        def twist(source: PeerId, to: PeerId, payload: bytes) -> list[bytes]:
            if source != liar.peer or payload[:1] != b"\x00":
                return [payload]
            vote: VoteMessage = decode(GossipMessage, payload)
            if vote.vote.id != liar.id or isinstance(vote.vote.message, PrimaryPropose):
                return [payload]
            other = type(vote.vote.message)(GENESIS.hash(), GENESIS.number)
            signature = ed25519.sign(pair, payload_of(other, vote.round, vote.set_id))
            lie = replace(
                vote, vote=SignedMessage(other, GrandpaSignature(H512(signature)), liar.id)
            )
            forms = [payload, encode(lie, GossipMessage)]
            return forms if it.random.random() < 0.5 else forms[::-1]

        it.net.tamper = twist
        await it.produce(3)
        await it.until(1, it.nodes[:3], within=60 * T)
        it.net.tamper = lambda source, to, payload: [payload]
        await it.produce(20)
        await it.until(6, within=60 * T)
        proofs = [proof for node in it.nodes[:3] for proof in node.equivocations]
        assert proofs and {proof.offender for proof in proofs} == {liar.id}
        for node in it.nodes:
            rounds = [(proof.set_id, proof.round) for proof in node.equivocations]
            assert len(rounds) == len(set(rounds))
        for proof in proofs:
            assert proof.first != proof.second
            for message, signature in (
                (proof.first, proof.first_signature),
                (proof.second, proof.second_signature),
            ):
                payload = payload_of(message, proof.round, proof.set_id)
                assert it.verifier.ed25519(proof.offender, payload, signature)


async def test_without_new_blocks_rounds_rest(autojump_clock: MockClock) -> None:
    async with world(6, 4) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(9)
        await it.until(3, within=60 * T)
        await trio.sleep(20)
        before = [(node.voter.round, node.port.sent) for node in it.nodes]
        await trio.sleep(600)
        after = [(node.voter.round, node.port.sent) for node in it.nodes]
        for (round_before, sent_before), (round_after, sent_after) in zip(
            before, after, strict=True
        ):
            assert round_after == round_before
            assert sent_after - sent_before <= 600 / (60 * T) * 3 * 20


async def test_who_is_left_behind_asks_for_the_votes_until_they_come(
    autojump_clock: MockClock,
) -> None:
    """A peer that is one round ahead is only quicker; from two on, we have missed something. What
    was asked may be lost on the way, and so is asked again, though the peer says no more."""
    async with world(10, 4) as it:
        node, peer = it.nodes[0], PeerId("ahead")
        asked: list[CatchUpRequest] = []

        def hear(event: NetworkEvent) -> None:
            if isinstance(event, Notification):
                message: GossipMessage = decode(GossipMessage, event.payload)
                if isinstance(message, CatchUpRequest):
                    asked.append(message)

        port = it.net.port(peer)
        port.handlers["grandpa"] = hear
        it.start(node)
        it.net.connect(node.peer, peer)
        here = node.voter.round

        async def say(round_number: int) -> None:
            packet = NeighbourMessage(U8(1), U64(round_number), U64(0), BlockNumber(U32(0)))
            port.notify([node.peer], "grandpa", encode(packet, GossipMessage))
            await trio.sleep(2 * T)

        await trio.sleep(T)
        await say(here + 1)
        assert asked == []
        await say(here + 2)
        assert asked == [CatchUpRequest(U64(here), U64(0))]
        it.net.tamper = lambda source, to, payload: [payload] if source == node.peer else []
        for header in chain_of(GENESIS, 8):  # something to wake up for
            it.publish(header, [node])
            await trio.sleep(STALLED_AFTER * T / 4)
        assert len(asked) == 2


async def test_votes_stop_where_the_rule_says(autojump_clock: MockClock) -> None:
    async with world(7, 4) as it:
        blocks = chain_of(GENESIS, 5)

        def up_to_third(base: BlockRef, target: BlockRef) -> BlockRef:
            return max(base, min(ref(blocks[2]), target, key=number), key=number)

        for node in it.nodes:
            node.rule = up_to_third
            it.start(node)
        for block in blocks:
            it.publish(block)
        await it.until(3, within=60 * T)
        await trio.sleep(100)
        assert {node.tree.finalized_hash for node in it.nodes} == {blocks[2].hash()}


async def test_votes_go_on_when_the_rule_allows_more(autojump_clock: MockClock) -> None:
    """Nothing happens to the chain; the rounds wait, and are told."""
    async with world(7, 4) as it:
        allowed = 0
        blocks = chain_of(GENESIS, 5)

        def so_far(base: BlockRef, target: BlockRef) -> BlockRef:
            return base if allowed <= base.number else ref(blocks[allowed - 1])

        for node in it.nodes:
            node.rule = so_far
            it.start(node)
        for block in blocks:
            it.publish(block)
        for allowed in (2, 4, 5):
            for node in it.nodes:
                assert node.voter is not None
                node.voter.rule_moved()
            await it.until(allowed, within=60 * T)
            await trio.sleep(100)
            final = {node.tree.finalized_hash for node in it.nodes}
            assert final == {blocks[allowed - 1].hash()}


async def test_a_justification_from_a_sync(autojump_clock: MockClock) -> None:
    async with world(8, 4, others=1) as it:
        *voters, other = it.nodes
        it.part([other])
        for node in it.nodes:
            it.start(node)
        await it.produce(9)
        await it.until(3, voters, within=60 * T)
        it.sync(other)
        block = voters[0].tree.finalized_hash
        proof = voters[0].tree.justifications[block]
        with pytest.raises(KeyError):
            await other.voter.import_justification(Hash(H256(bytes(32))), proof)
        with pytest.raises(JustificationError):
            await other.voter.import_justification(block, proof[:-1])
        assert other.tree.finalized.number == 0
        await other.voter.import_justification(block, proof)
        assert other.tree.finalized_hash == block


def commit_for(target: Header, blocks: Sequence[Header]) -> GrandpaCommit:
    """Round 7 of set 0: the first voters' precommits for these blocks."""
    precommits = []
    for index, block in enumerate(blocks):
        key = ed25519.Keypair.from_uri(f"//voter{index}")
        message = Precommit(block.hash(), block.number)
        signature = ed25519.sign(key, payload_of(message, 7, 0))
        voter = GrandpaId(H256(key.public))
        precommits.append(SignedMessage(message, GrandpaSignature(H512(signature)), voter))
    return commit_of(ref(target), precommits)


async def test_a_justification_is_kept_as_it_came(autojump_clock: MockClock) -> None:
    """One precommit is for a block that who syncs does not have yet. Its header is a part of the
    proof, and is served to the next."""
    async with world(8, 4) as it:
        blocks = chain_of(GENESIS, 3)
        target, above = blocks[1], blocks[2]
        commit = commit_for(target, [target, target, above])
        proof = encode(GrandpaJustification(U64(7), commit, (above,)))
        syncing, *_ = it.nodes
        it.start(syncing)
        for block in blocks[:2]:
            syncing.tree.add(block)
        await syncing.voter.import_justification(target.hash(), proof)
        assert syncing.tree.finalized_hash == target.hash()
        assert syncing.tree.justifications[target.hash()] == proof
        await in_turns(verify_justification(proof, 0, it.authorities, it.verifier, ref(target)))


async def test_a_commit_waits_for_the_blocks_of_its_votes(autojump_clock: MockClock) -> None:
    """Two peers send the same; nobody is blamed, and then it is believed."""
    async with world(8, 4) as it:
        blocks = chain_of(GENESIS, 4)
        target, above = blocks[1], blocks[3]
        commit = commit_for(target, [target, target, above])
        payload = encode(CommitMessage(U64(7), U64(0), compact(commit)), GossipMessage)
        node, *_ = it.nodes
        it.start(node)
        for block in blocks[:2]:
            node.tree.add(block)
        for name in ("one", "other"):
            port = it.net.port(name)
            it.net.connect(node.peer, PeerId(name))
            await trio.sleep(T)
            port.notify([node.peer], "grandpa", payload)
        await trio.sleep(T)
        assert node.tree.finalized.number == 0
        for block in blocks[2:]:
            node.tree.add(block)
        await trio.sleep(T)
        assert node.tree.finalized_hash == target.hash()
        assert node.port.reports == []


@pytest.mark.parametrize("liars", [1, 5])
async def test_claims_of_a_far_round_keep_nobody_out(liars: int, autojump_clock: MockClock) -> None:
    """Peers say that they are in round 2^40, and never answer. A voter that was away asks the
    others as well, and the liars pay."""
    async with world(1, 4) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(30)
        gone, *others = it.nodes
        it.part([gone])
        await it.produce(90)
        for index in range(liars):
            port = it.net.port(f"liar {index}")
            it.net.connect(port.local_peer, gone.peer)
            lie = NeighbourMessage(U8(1), U64(2**40), U64(0), BlockNumber(U32(0)))
            port.notify([gone.peer], "grandpa", encode(lie, GossipMessage))
        await trio.sleep(2 * STALLED_AFTER * T)
        it.heal()
        await it.produce(30 * T * liars)
        assert abs(gone.voter.round - others[0].voter.round) <= 1
        assert gone.tree.finalized.number >= it.headers[-1].number - 3
        silent = [peer for peer, cost, why in gone.port.reports if "no answer" in why]
        assert silent and all(peer.startswith("liar") for peer in silent)


async def test_garbage_costs_its_sender(autojump_clock: MockClock) -> None:
    async with world(9, 4) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(3)
        port = it.nodes[0].port
        for payload in (b"", b"\x07", b"\x00" * 40, b"\x02\x09" + bytes(20)):
            port.notify([it.nodes[1].peer], "grandpa", payload)
        await it.produce(9)
        await it.until(3, within=60 * T)
        reports = it.nodes[1].port.reports
        assert len(reports) == 4
        assert all(peer == it.nodes[0].peer and cost < 0 for peer, cost, _ in reports)


def number_of(node: Node, block: Hash) -> int:
    header = node.tree.header(block)
    assert header is not None
    return header.number


def number(block: BlockRef) -> int:
    return block.number
