"""The GRANDPA machine without tasks: replayed, fed with disorder, and killed between any two
effects."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from parahost.consensus.grandpa.effects import (
    Effect,
    FinalizeBlock,
    SaveCommit,
    SeekBlock,
    Send,
    SignVote,
)
from parahost.consensus.grandpa.machine import GrandpaMachine
from parahost.consensus.grandpa.messages import (
    PROTOCOL,
    CommitMessage,
    GossipMessage,
    SignedMessage,
    VoteMessage,
    compact,
)
from parahost.consensus.grandpa.recovery import recover
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.consensus.grandpa.target import vote_for_best
from parahost.consensus.grandpa.validity import GrandpaVerdict
from parahost.ports import Notification, PeerDisconnected
from parahost.primitives.basic import H512, U64, GrandpaSignature
from parahost.primitives.consensus import Prevote
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from parahost.storage.memory import MemoryDatabase
from tests.consensus.grandpa.machines import VERIFIER, Machines, Node, connected, finalized_numbers
from tests.consensus.grandpa.test_voter import commit_for
from tests.consensus.grandpa.world import GENESIS, SeededRandom, T, Tree, chain_of, ref


def machines(seed: int, voters: int = 4, others: int = 0) -> Machines:
    it = Machines(seed, voters, others)
    for node in it.nodes:
        it.start(node)
    return it


def replayed(it: Machines, node: Node) -> list[Sequence[Effect]]:
    """What another machine gives to the inputs of a node's first life."""
    tree, commits = Tree(), dict[int, CommitMessage]()
    machine = GrandpaMachine(
        tree,
        recover(GrandpaStore(MemoryDatabase()), tree, it.authorities),
        verifier=VERIFIER,
        random=SeededRandom(f"{it.seed} {node.name} 1"),
        own_keys=lambda: [node.id],
        commit_of_set=commits.get,
        gossip_s=T,
        rule=vote_for_best,
        now=0.0,
    )
    given = []
    for step in node.steps:
        match step.event:
            case None:
                effects = machine.advance(step.now)
            case BlockImportEvent(_, header, _):
                tree.add(header)
                effects = machine.handle(step.event, step.now)
            case BlockFinalizationEvent(block, _):
                tree.finalize(block, None)
                effects = machine.handle(step.event, step.now)
            case event:
                effects = machine.handle(event, step.now)
        given.append(effects)
        for effect in effects:
            if isinstance(effect, SaveCommit):
                commits[effect.commit.set_id] = effect.commit
    return given


def assert_says_one_thing(node: Node) -> None:
    """It has signed one message for each stage of each round."""
    said: dict[tuple[int, bytes], bytes] = {}
    for payload in node.signed:
        stage = payload[0], payload[-16:]  # kind; round and set
        assert said.setdefault(stage, payload) == payload, "two votes in one stage"


@pytest.mark.parametrize("seed", range(3))
def test_the_same_inputs_give_the_same_effects(seed: int) -> None:
    it = machines(seed, others=1)
    it.loss = 0.1
    it.produce(6, forks=0.3)
    for node in it.nodes:
        assert any(isinstance(e, FinalizeBlock) for step in node.steps for e in step.effects)
        assert replayed(it, node) == [step.effects for step in node.steps]


def test_time_alone_brings_nothing_twice() -> None:
    it = machines(1)
    it.produce(4)
    for node in it.nodes:
        assert node.machine is not None
        while node.machine.advance(it.now):
            pass
        assert node.machine.next_due(it.now) > it.now
        assert node.machine.advance(it.now) == []


def test_time_brings_nothing_further_before_an_answer() -> None:
    """What a vote or a final block changes is known before anything else is decided."""
    it = machines(1)
    it.produce(6, forks=0.3)
    answered = 0
    for step in (step for node in it.nodes for step in node.steps):
        if step.event is None and step.effects:
            *before, last = step.effects
            assert not any(isinstance(effect, FinalizeBlock | SignVote) for effect in before)
            answered += isinstance(last, FinalizeBlock | SignVote)
    assert answered > 20


def told_in_a_run() -> tuple[list[bytes], list[Header]]:
    """What three voters of a run have sent, and its blocks."""
    it = machines(3)
    it.produce(8, forks=0.3)
    sent = {
        effect.payload: None
        for node in it.nodes[1:]
        for step in node.steps
        for effect in step.effects
        if isinstance(effect, Send)
    }
    return list(sent), it.headers


TOLD, HEADERS = told_in_a_run()


def damaged(draw: random.Random, payload: bytes) -> bytes:
    place = draw.randrange(len(payload))
    return draw.choice([payload[:place], payload[:place] + b"\xff" + payload[place + 1 :]])


@pytest.mark.parametrize("seed", range(6))
def test_messages_in_any_order_and_state_do_no_harm(seed: int) -> None:
    """Of a real run: early, late, again, damaged, from peers that come and go, while blocks come in
    an order of their own. The machine takes them all, says one thing and follows finality."""
    draw = random.Random(seed)
    it = Machines(3, 4)
    node, *peers = it.nodes
    it.start(node)
    for peer in peers:
        it.take(node, connected(peer))
    for count in range(600):
        peer = draw.choice(peers)
        payload = draw.choice(TOLD[: 20 + count])
        if draw.random() < 0.05:
            payload = damaged(draw, payload)
        it.take(node, Notification(peer.peer, PROTOCOL, payload))
        node.tree.add(draw.choice(HEADERS))
        if draw.random() < 0.02:
            it.take(node, PeerDisconnected(peer.peer))
            it.take(node, connected(peer))
        it.run(draw.random() / 4)
    assert_says_one_thing(node)
    assert {report.change for report in node.reports} >= {GrandpaVerdict.MALFORMED.cost}
    assert node.tree.finalized.number >= 3


def test_held_commits_are_believed_one_after_the_other() -> None:
    """Their blocks come together. The highest makes the others old news, and each is held once,
    whoever sends it."""
    it = Machines(1, 4)
    node, *peers = it.nodes
    it.start(node)
    blocks = chain_of(GENESIS, 3)
    for peer in peers:
        it.take(node, connected(peer))
        for target in (blocks[0], blocks[1]):
            commit = CommitMessage(U64(7), U64(0), compact(commit_for(target, [target] * 3)))
            it.take(node, Notification(peer.peer, PROTOCOL, encode(commit, GossipMessage)))
    it.run(T)
    sought = [e for step in node.steps for e in step.effects if isinstance(e, SeekBlock)]
    assert [(seek.peer, seek.block) for seek in sought] == [
        (peers[0].peer, ref(blocks[0])),
        (peers[0].peer, ref(blocks[1])),
    ]
    node.steps.clear()
    for block in blocks:
        node.tree.add(block)
    it.run(T)
    made = [e for step in node.steps for e in step.effects if isinstance(e, FinalizeBlock)]
    assert [effect.block for effect in made] == [ref(blocks[1])]
    assert node.reports == []


@pytest.mark.parametrize(
    ("set_id", "round_number", "is_ours", "told"),
    [(0, 9, True, 1), (1, 1, True, 1), (0, 9, False, 0), (0, 1, True, 0)],
)
def test_a_vote_of_our_key_where_we_have_not_been_is_told(
    set_id: int, round_number: int, is_ours: bool, told: int
) -> None:
    """Nobody verifies it here, and only another machine can have cast it. Of the round that runs,
    votes are verified."""
    it = Machines(1, 4)
    node, *peers = it.nodes
    it.start(node)
    it.take(node, connected(peers[0]))
    author = node if is_ours else peers[1]
    genesis = ref(GENESIS)
    unsigned = GrandpaSignature(H512(bytes(64)))
    vote = SignedMessage(Prevote(genesis.hash, genesis.number), unsigned, author.id)
    message = VoteMessage(U64(round_number), U64(set_id), vote)
    it.take(node, Notification(peers[0].peer, PROTOCOL, encode(message, GossipMessage)))
    assert [(each.set_id, each.round, each.vote) for each in node.unplaced_votes] == [
        (set_id, round_number, vote)
    ] * told


def a_new_set(seed: int) -> Machines:
    """Four voters; blocks 2 and 4 bring in another set."""
    it = Machines(seed, 4)
    it.changes_at = frozenset({2, 4})
    return it


def moments_of_a_life() -> int:
    it = a_new_set(1)
    for node in it.nodes:
        it.start(node)
    it.produce(6)
    return it.nodes[0].moments


MOMENTS = moments_of_a_life()
KILLS = 24


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_any_moment_it_goes_on_and_contradicts_nothing(part: int) -> None:
    """Before any effect and any write, with the last writes lost or not, and again soon
    afterwards. Each case is of another part of a life, in which the set of voters changes twice."""
    draw = random.Random(part)
    it = a_new_set(1)
    it.lose_writes = draw.choice([0, 1, 40])
    victim = it.nodes[0]
    victim.dies_at = draw.randrange(MOMENTS * part // KILLS, MOMENTS * (part + 1) // KILLS)
    for node in it.nodes:
        it.start(node)
    it.produce(6)
    victim.dies_at = victim.moments + draw.randrange(20)
    it.produce(2)
    it.run(20 * T)
    assert victim.lives == 3
    for node in it.nodes:
        assert node.machine is not None and node.machine.authorities.set_id == 2
        assert_says_one_thing(node)
        assert node.tree.finalized.number >= max(header.number for header in it.headers) - 1
        assert node.reports == node.faults == []
    finalized_numbers(it.nodes)
