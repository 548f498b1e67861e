"""A driver of GRANDPA machines without tasks: time is a number, the network a heap of messages.

It does what ``voter.py`` does in a node, one step after the other, so that a test may look at each
input and its effects, and kill a node before any effect and any write.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from parahost.consensus.grandpa.ballots import Ballots
from parahost.consensus.grandpa.commits import first_unsigned
from parahost.consensus.grandpa.effects import (
    ChainMoved,
    ChangeReputation,
    Effect,
    FinalizeBlock,
    Input,
    OwnVote,
    PeerProof,
    ProofVerified,
    ReportEquivocation,
    SaveAuthorities,
    SaveCommit,
    SaveRound,
    Send,
    SignVote,
    TellContradiction,
    TellUnplacedVote,
    VerifyProof,
    Wake,
)
from parahost.consensus.grandpa.machine import GrandpaMachine
from parahost.consensus.grandpa.messages import PROTOCOL
from parahost.consensus.grandpa.recovery import recover
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.consensus.grandpa.target import vote_for_best
from parahost.consensus.pieces import Pieces
from parahost.crypto import ed25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports import (
    Batch,
    KeyType,
    Notification,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
)
from parahost.ports.promises import Promise
from parahost.primitives.basic import H256, U32, U64, BlockNumber, GrandpaId, Hash, PeerId
from parahost.primitives.consensus import GrandpaAuthorities, ScheduledChange
from parahost.primitives.header import Header
from parahost.storage.memory import MemoryDatabase
from tests.consensus.grandpa.world import GENESIS, SeededRandom, SharedVerifier, T, Tree, child

VERIFIER = SharedVerifier()
VERIFYING_S = 0.02
"""How long a message of many signatures takes."""
LATENCY_S = (0.01, 0.5)


def noop() -> None:
    """Nobody listens yet."""


class Killed(Exception):
    """The node's process is gone."""


def whole(pieces: Pieces[object]) -> object:
    """The outcome of a computation."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True, slots=True)
class Step:
    """What a machine was handed, an input or only the time, and what it gave."""

    now: float
    event: Input | None
    effects: Sequence[Effect]


class BareKeys(ProtectedKeyStore):
    """Sign whatever they are given, and remember it."""

    def __init__(self, keys: KeyRing, database: MemoryDatabase, signed: list[bytes]) -> None:
        super().__init__(keys, database)
        self._signed = signed

    def sign(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> bytes:
        keypair = self._keys.get(key_type, public)
        assert isinstance(keypair, ed25519.Keypair)
        self._signed.append(payload)
        return ed25519.sign(keypair, payload)


@dataclass
class Node:
    """One node: its disk, its block tree, which is on the disk too, and in each life a machine."""

    name: str
    keys: KeyRing
    tree: Tree = field(default_factory=Tree)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    machine: GrandpaMachine | None = None
    ballots: Ballots | None = None
    store: GrandpaStore | None = None
    unsubscribe: Callable[[], None] = noop
    lives: int = 0
    steps: list[Step] = field(default_factory=list)
    """Of this life."""
    signed: list[bytes] = field(default_factory=list)
    """Of all lives, as are the following."""
    reports: list[ChangeReputation] = field(default_factory=list)
    faults: list[Effect] = field(default_factory=list)
    unplaced_votes: list[TellUnplacedVote] = field(default_factory=list)
    moments: int = 0
    """At which it might have been killed."""
    dies_at: int | None = None
    """The moment at which it is killed."""

    @property
    def peer(self) -> PeerId:
        return PeerId(self.name)

    @property
    def id(self) -> GrandpaId:
        return GrandpaId(H256(self.keys.public_keys(KeyType.GRANDPA)[0]))

    def moment(self) -> None:
        """Be killed here, or not."""
        if self.moments == self.dies_at:
            raise Killed
        self.moments += 1


class Machines:
    """Nodes, all connected, which make blocks and finalise them."""

    def __init__(self, seed: int, voters: int, others: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(f"machines {seed}")
        self.now = 0.0
        self.loss = 0.0
        self.lose_writes = 0
        """How many of the last writes a kill loses, at most."""
        self.nodes = [
            Node(f"n{index}", KeyRing.of([(KeyType.GRANDPA, f"//voter{index}")]))
            for index in range(voters + others)
        ]
        self.authorities: GrandpaAuthorities = tuple(
            (node.id, U64(1)) for node in self.nodes[:voters]
        )
        self.headers = [GENESIS]
        self.changes_at: frozenset[int] = frozenset()
        """Blocks of these numbers announce that the same voters are a new set one block later."""
        self._queue: list[tuple[float, int, Node, int, Callable[[], None]]] = []
        self._count = 0
        self._arrived: dict[tuple[str, str], float] = {}

    def start(self, node: Node) -> None:
        """Begin a life of it."""
        node.lives += 1
        node.steps = []
        node.database.before_write = lambda batch, durable: node.moment()
        node.store = GrandpaStore(node.database)
        node.ballots = Ballots(node.store, BareKeys(node.keys, node.database, node.signed))
        others = [other for other in self.nodes if other.machine is not None]
        try:
            node.machine = new_machine(self, node)
        except Killed:
            self._after_kill(node)
            return
        node.unsubscribe = node.tree.subscribe(lambda event: self.take(node, event))
        for other in others:
            self._later(node, 0.0, partial(self.take, node, connected(other)))
            self._later(other, 0.0, partial(self.take, other, connected(node)))
        self._later(node, 0.0, partial(self.advance, node))
        self._later(node, self._latency(), partial(self._sync, node))

    def produce(self, blocks: int, slot_s: float = 3.0, forks: float = 0.0) -> None:
        """Blocks on random nodes' best ones; sometimes two in a slot."""
        for _ in range(blocks):
            for _ in range(2 if self.random.random() < forks else 1):
                author = self.random.choice([node for node in self.nodes if node.machine])
                header = self._child(author.tree.best)
                self.headers.append(header)
                for node in self.nodes:
                    self._later(node, self._latency(), partial(self._import, node, header))
            self.run(slot_s)

    def _child(self, parent: Header) -> Header:
        change = None
        if parent.number + 1 in self.changes_at:
            change = ScheduledChange(self.authorities, BlockNumber(U32(1)))
        return child(parent, len(self.headers), change=change)

    def run(self, seconds: float) -> None:
        """Let so much time go by."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, node, life, what = heapq.heappop(self._queue)
            if node.lives == life and node.machine is not None:
                try:
                    what()
                except Killed:
                    self._after_kill(node)
        self.now = end

    # One node's driver

    def take(self, node: Node, event: Input) -> None:
        assert node.machine is not None
        effects = node.machine.handle(event, self.now)
        node.steps.append(Step(self.now, event, effects))
        for effect in effects:
            self._do(node, effect)

    def advance(self, node: Node) -> None:
        assert node.machine is not None
        while True:
            effects = node.machine.advance(self.now)
            node.steps.append(Step(self.now, None, effects))
            if not effects:
                break
            for effect in effects:
                self._do(node, effect)
        due = node.machine.next_due(self.now)
        self._later(node, max(due - self.now, 0.0), partial(self.advance, node))

    def _do(self, node: Node, effect: Effect) -> None:
        node.moment()
        assert node.ballots is not None and node.store is not None
        match effect:
            case Send(peers, payload):
                for peer in peers:
                    self._carry(node, peer, payload)
            case Wake():
                self._later(node, 0.0, partial(self.advance, node))
            case VerifyProof(proof):
                self._later(node, VERIFYING_S, partial(self._verify, node, proof))
            case SignVote(key, set_id, round_number, message):
                vote = node.ballots.cast(key, set_id, round_number, message)
                if vote is not None:
                    self.take(node, OwnVote(set_id, round_number, vote))
            case FinalizeBlock(block, justification):
                node.database.write(Batch(), durable=True)  # as the chain does
                node.tree.finalize(block.hash, justification)
                self.take(node, ChainMoved())
            case SaveAuthorities(state):
                node.store.save_authorities(state)
            case SaveRound(completed):
                node.store.save_completed(completed)
            case SaveCommit(commit):
                node.store.save_commit(commit)
            case ChangeReputation():
                node.reports.append(effect)
            case ReportEquivocation() | TellContradiction():
                node.faults.append(effect)
            case TellUnplacedVote():
                node.unplaced_votes.append(effect)

    def _verify(self, node: Node, proof: PeerProof) -> None:
        assert node.machine is not None
        votes, message = node.machine.unverified(proof), proof.message
        unsigned = whole(first_unsigned(votes, message.round, message.set_id, VERIFIER))
        self.take(node, ProofVerified(proof, good=unsigned is None))

    # The world around it

    def _after_kill(self, node: Node) -> None:
        """It is started again at once, on what is left of its disk."""
        node.dies_at = None
        node.machine = None
        node.unsubscribe()
        node.database.before_write = None
        node.database = node.database.crash(min(self.lose_writes, node.database.unsynced))
        for other in self.nodes:
            self._later(other, 0.0, partial(self.take, other, PeerDisconnected(node.peer)))
        self.start(node)

    def _carry(self, source: Node, peer: PeerId, payload: bytes) -> None:
        if self.random.random() < self.loss:
            return
        to, life = next(node for node in self.nodes if node.peer == peer), source.lives
        at = max(self.now + self._latency(), self._arrived.get((source.name, to.name), 0.0))
        self._arrived[source.name, to.name] = at  # what is sent first arrives first

        def arrive() -> None:
            if source.lives == life:  # else the connection is gone
                self.take(to, Notification(source.peer, PROTOCOL, payload))

        self._later(to, at - self.now, arrive)

    def _import(self, node: Node, header: Header) -> None:
        if not node.tree.add(header):
            self._sync(node)

    def _sync(self, node: Node) -> None:
        for header in self.headers:
            node.tree.add(header)

    def _latency(self) -> float:
        return self.random.uniform(*LATENCY_S)

    def _later(self, node: Node, seconds: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, node, node.lives, what))


def new_machine(it: Machines, node: Node) -> GrandpaMachine:
    """A machine on what the node has on disk."""
    assert node.ballots is not None and node.store is not None
    return GrandpaMachine(
        node.tree,
        recover(node.store, node.tree, it.authorities),
        verifier=VERIFIER,
        random=SeededRandom(f"{it.seed} {node.name} {node.lives}"),
        own_keys=node.ballots.keys_held,
        commit_of_set=node.store.commit,
        gossip_s=T,
        rule=vote_for_best,
        now=it.now,
    )


def connected(node: Node) -> PeerConnected:
    return PeerConnected(node.peer, ObservedRole.AUTHORITY)


def finalized_numbers(nodes: Sequence[Node]) -> dict[int, Hash]:
    """Which block each node holds for final at each number: one for all."""
    numbers: dict[int, Hash] = {}
    for node in nodes:
        header: Header | None = node.tree.finalized
        while header is not None:
            hash = header.hash()
            assert numbers.setdefault(header.number, hash) == hash, f"fork at {header.number}"
            header = node.tree.header(header.parent_hash)
    return numbers
