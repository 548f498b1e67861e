"""A world for tests of finality: block trees in memory, a network that delays, loses and parts,
and nodes that can be stopped at any moment and started again on what they kept. Keys, signatures,
the protection log and the voter are the real ones; time is trio's, which jumps in these tests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from parahost.consensus.grandpa import (
    BlockRef,
    GrandpaVoter,
    VotingRule,
    vote_for_best,
)
from parahost.consensus.grandpa.blocks import BlockEvent
from parahost.crypto import ed25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports import (
    KeyType,
)
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    ZERO_HASH,
    BlockNumber,
    GrandpaId,
    Hash,
    PeerId,
)
from parahost.primitives.consensus import (
    GrandpaAuthorities,
    GrandpaConsensusLog,
    GrandpaEquivocationProof,
    ScheduledChange,
)
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header, Other
from parahost.primitives.scale import encode
from parahost.primitives.transcript import Transcript
from parahost.storage.memory import MemoryDatabase
from tests.memory_network import MemoryNetwork, MemoryPort

T = 1.0
"""The gossip time of the voters here, in seconds."""

Listener = Callable[[BlockEvent], None]


def child(parent: Header, salt: int = 0, *, change: ScheduledChange | None = None) -> Header:
    """A header on another; different salts make different ones."""
    digest: tuple[Other | Consensus, ...] = (Other(salt.to_bytes(4, "little")),)
    if change is not None:
        digest += (Consensus(GRANDPA_ENGINE, encode(change, GrandpaConsensusLog)),)
    zero = H256(bytes(32))
    return Header(parent.hash(), BlockNumber(U32(parent.number + 1)), zero, zero, digest)


GENESIS = Header(ZERO_HASH, BlockNumber(U32(0)), H256(bytes(32)), H256(bytes(32)))


def ref(header: Header) -> BlockRef:
    return BlockRef(header.hash(), header.number)


def chain_of(parent: Header, length: int, salt: int = 0) -> list[Header]:
    """That many headers on ``parent``, each on the one before."""
    headers: list[Header] = []
    for _ in range(length):
        headers.append(child(headers[-1] if headers else parent, salt))
    return headers


class Tree:
    """A block tree in memory with the longest chain as the best; what ``Chain`` is to a node."""

    def __init__(self) -> None:
        self._headers = {GENESIS.hash(): GENESIS}
        self._best = self._final = GENESIS.hash()
        self.justifications: dict[Hash, bytes] = {}
        self.history = [GENESIS.hash()]
        self._listeners: list[Listener] = []

    @property
    def best(self) -> Header:
        return self._headers[self._best]

    @property
    def best_hash(self) -> Hash:
        return self._best

    @property
    def finalized(self) -> Header:
        return self._headers[self._final]

    @property
    def finalized_hash(self) -> Hash:
        return self._final

    def header(self, block: Hash, /) -> Header | None:
        return self._headers.get(block)

    def leaves(self) -> list[Hash]:
        parents = {header.parent_hash for header in self._headers.values()}
        heads = [hash for hash in self._headers if hash not in parents]
        return sorted(heads, key=lambda hash: -self._headers[hash].number)

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        older, header = self._headers.get(ancestor), self._headers.get(block)
        while older is not None and header is not None and header.number > older.number:
            block = header.parent_hash
            header = self._headers.get(block)
        return older is not None and block == ancestor

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def add(self, header: Header) -> bool:
        """Import a header; ``False`` when its parent is missing or it conflicts with finality."""
        hash = header.hash()
        if hash in self._headers:
            return True
        if not self.is_ancestor(self._final, header.parent_hash):
            return False
        self._headers[hash] = header
        new_best = header.number > self.best.number
        if new_best:
            self._best = hash
        self._tell(BlockImportEvent(hash, header, new_best))
        return True

    def finalize(self, block: Hash, justification: bytes | None, /) -> None:
        header = self._headers[block]
        assert self.is_ancestor(self._final, block), "finality was reverted"
        if justification is not None:
            self.justifications[block] = justification
        self._final = block
        self.history.append(block)
        self._headers = {
            hash: other
            for hash, other in self._headers.items()
            if self.is_ancestor(hash, block) or self.is_ancestor(block, hash)
        }
        if self._best not in self._headers:
            self._best = self.leaves()[0]
        self._tell(BlockFinalizationEvent(block, header))

    def _tell(self, event: BlockEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)


class SharedVerifier:
    """Real ed25519 verdicts, each computed once for all nodes of the world."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[bytes, bytes, bytes], bool] = {}

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        key = (public, message, signature)
        if key not in self._verdicts:
            self._verdicts[key] = ed25519.verify(*key)
        return self._verdicts[key]

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        raise NotImplementedError("GRANDPA has no sr25519 keys")

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        raise NotImplementedError("GRANDPA has no ECDSA keys")

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        raise NotImplementedError("GRANDPA has no VRF")


class WorldClock:
    def now(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0.0))


class SeededRandom:
    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)


@dataclass
class Node:
    """A node: what survives a crash, and while it runs, its voter."""

    name: str
    keys: KeyRing
    tree: Tree = field(default_factory=Tree)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    rule: VotingRule = vote_for_best
    voter: GrandpaVoter = field(init=False)
    """Of the life that it has, or had last."""
    port: MemoryPort = field(init=False)
    equivocations: list[GrandpaEquivocationProof] = field(default_factory=list)
    _scope: trio.CancelScope | None = None

    @property
    def peer(self) -> PeerId:
        return PeerId(self.name)

    @property
    def id(self) -> GrandpaId:
        return GrandpaId(H256(self.keys.public_keys(KeyType.GRANDPA)[0]))


class World:
    """Nodes on one network, all connected, and the blocks that exist."""

    def __init__(self, seed: int, nursery: trio.Nursery, voters: int, others: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(f"world {seed}")
        self.nursery = nursery
        self.net = MemoryNetwork((0.01, 0.5), seed=seed)
        self.verifier = SharedVerifier()
        self.nodes = [
            Node(f"n{index}", KeyRing.of([(KeyType.GRANDPA, f"//voter{index}")]))
            for index in range(voters + others)
        ]
        self.authorities = authorities(self.nodes[:voters])
        self.headers = [GENESIS]
        self.parted: set[frozenset[PeerId]] = set()
        nursery.start_soon(self.net.run)

    def start(self, node: Node) -> None:
        port = node.port = self.net.port(node.name)
        node.voter = GrandpaVoter(
            node.tree,
            network=port,
            keystore=ProtectedKeyStore(node.keys, node.database),
            verifier=self.verifier,
            database=node.database,
            clock=WorldClock(),
            random=SeededRandom(f"{self.seed} {node.name}"),
            genesis_authorities=self.authorities,
            gossip_s=T,
            voting_rule=node.rule,
            on_equivocation=node.equivocations.append,
            on_unplaced_vote=lambda *_: None,
        )
        for other in self.running():
            if other is not node and frozenset((node.peer, other.peer)) not in self.parted:
                self.net.connect(node.peer, other.peer)
        self.nursery.start_soon(self._run, node, node.voter)

    async def _run(self, node: Node, voter: GrandpaVoter) -> None:
        with trio.CancelScope() as node._scope:
            await voter.run()

    def crash(self, node: Node) -> None:
        """Stop a node where it is; its disk stays."""
        assert node._scope is not None
        node._scope.cancel()
        self.net.remove(node.peer)

    def running(self) -> list[Node]:
        return [node for node in self.nodes if node.peer in self.net.ports]

    def part(self, side: Sequence[Node]) -> None:
        """Cut the network between these nodes and the others."""
        inside = {node.peer for node in side}
        for one in self.nodes:
            for other in self.nodes:
                if (one.peer in inside) != (other.peer in inside):
                    self.parted.add(frozenset((one.peer, other.peer)))
                    if one.peer in self.net.ports and other.peer in self.net.ports:
                        self.net.cut(one.peer, other.peer)

    def heal(self) -> None:
        self.parted.clear()
        running = self.running()
        for index, one in enumerate(running):
            for other in running[:index]:
                self.net.connect(one.peer, other.peer)
        for node in running:
            self.sync(node)

    def sync(self, node: Node) -> None:
        """Give a node all blocks that exist."""
        for header in self.headers:
            node.tree.add(header)

    def publish(self, header: Header, to: Sequence[Node] | None = None) -> None:
        """A new block: running nodes import it, each after a while of its own."""
        self.headers.append(header)
        for node in self.running() if to is None else to:
            self.nursery.start_soon(self._deliver, node, header)

    async def _deliver(self, node: Node, header: Header) -> None:
        await trio.sleep(self.net.random.uniform(*self.net.latency))
        if not node.tree.add(header):
            self.sync(node)

    async def produce(self, seconds: float, slot: float = 3.0, forks: float = 0.0) -> None:
        """Blocks on random nodes' best blocks; with a probability, two in one slot."""
        salt = 0
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            for _ in range(2 if self.random.random() < forks else 1):
                salt += 1
                author = self.random.choice(self.running())
                header = child(author.tree.best, salt)
                allies = [
                    node
                    for node in self.running()
                    if frozenset((node.peer, author.peer)) not in self.parted
                ]
                self.publish(header, allies)
            await trio.sleep(slot)

    async def until(
        self, number: int, nodes: Sequence[Node] | None = None, within: float = 300
    ) -> None:
        """Wait until nodes have finalised that number, in simulated seconds."""
        with trio.fail_after(within):
            while any(node.tree.finalized.number < number for node in (nodes or self.running())):
                await trio.sleep(0.5)

    async def until_all_but_the_last(self, within: float) -> None:
        """Wait until every node has finalised all but the newest block of its best chain. Finality
        may come late and cut a longer fork off, so that no fixed number can be waited for."""
        with trio.fail_after(within):
            while any(n.tree.finalized.number < n.tree.best.number - 1 for n in self.running()):
                await trio.sleep(0.5)

    def assert_no_false_alarm(self) -> None:
        """Nobody has heard its own votes as another machine's."""

    def assert_safe(self) -> None:
        """No two nodes ever finalised conflicting blocks."""
        numbers: dict[int, Hash] = {}
        for node in self.nodes:
            header: Header | None = node.tree.finalized
            while header is not None:
                hash = header.hash()
                assert numbers.setdefault(header.number, hash) == hash, f"fork at {header.number}"
                header = node.tree.header(header.parent_hash)


def authorities(nodes: Sequence[Node]) -> GrandpaAuthorities:
    return tuple((node.id, U64(1)) for node in nodes)
