"""Nodes that check a relay chain's candidates: voting and distribution, connected with each other.
What a check finds, and who does what wrong, a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from parahost.consensus.babe.epochs import BabeParameters
from parahost.crypto.verifier import DirectVerifier
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
    View,
)
from parahost.node.messages.validity import (
    ApprovalNetwork,
    ApprovalsMoved,
    CheckCandidate,
    CheckOutcome,
    CheckVerdict,
    IssueVote,
)
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.node.validity.approval_distribution import ApprovalDistribution
from parahost.node.validity.approval_voting import ApprovalVoting
from parahost.ports import Database, KeyStore, ObservedRole
from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import U32, U64, CandidateHash, PeerId
from parahost.primitives.header import Header
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION
from parahost.storage.memory import MemoryDatabase
from tests.node.availability.world import RelayChain, finalize, key_store
from tests.node.harness import ListJournal, make_overseer, running
from tests.runtime.parachains.world import World

SLOT_S = 6.0
PARAMETERS = BabeParameters(U64(6000), U64(1000), (U64(1), U64(1)))
APPROVAL = ApprovalParameters(
    needed_approvals=U32(2),
    relay_vrf_modulo_samples=U32(1),
    n_delay_tranches=U32(6),
    zeroth_delay_tranche_width=U32(0),
    tranches_per_slot=U32(6),
    no_show_slots=U32(2),
)
NO_SHOW_S = 2 * SLOT_S


def relay_chain(validators: int = 6, needed: int = 2, **config: Any) -> RelayChain:
    """With two parachains. Each block has the slot of its number; slot 0 begins at time 0."""
    approval = replace(APPROVAL, needed_approvals=U32(needed))
    validity = replace(DEFAULT_VALIDITY_CONFIGURATION, approval=approval)
    world = World(validators=validators, parachains=[100, 101], validity=validity, **config)
    return RelayChain(world)


def include(chain: RelayChain, *paras: int) -> tuple[Header, list[CandidateHash]]:
    """Two blocks more: candidates of these paras are backed, then included."""
    backed = [chain.candidate(para, b"pov %d" % chain.world.number)[0] for para in paras]
    chain.add(backed=backed)
    return chain.add(vote=True), [each.candidate.hash() for each in backed]


class Checker(Subsystem):
    """Candidate Checking, as a test has it; it takes a tenth of a second."""

    name = "checker"
    receives = (CheckCandidate,)

    def __init__(self) -> None:
        self.verdict = CheckVerdict.VALID
        self.answers = True
        self.asked: list[CandidateHash] = []

    def on_message(self, message: Message) -> None:
        assert isinstance(message, CheckCandidate)
        self.asked.append(message.receipt.hash())
        if self.answers:
            self.ctx.spawn(None, lambda: self._answer(message), "answer")

    async def _answer(self, message: CheckCandidate) -> None:
        await self.ctx.clock.sleep(0.1)
        message.reply.answer(CheckOutcome(self.verdict, "as the test wants it"))


class Coordinator(Subsystem):
    """The dispute coordinator, with what it is told; and Chain Selection."""

    name = "coordinator"
    receives = (IssueVote, ApprovalsMoved)

    def __init__(self) -> None:
        self.disputed: list[CandidateHash] = []

    def on_message(self, message: Message) -> None:
        if isinstance(message, IssueVote):
            self.disputed.append(message.receipt.hash())


class Wires(Subsystem):
    """The bridge: carries messages to the other nodes, unless the cable is cut."""

    name = "wires"
    receives = (RegisterEventProducer, SendMessage, ReportPeer)

    def __init__(self, me: PeerId, nodes: dict[PeerId, CheckingNode]) -> None:
        self._me, self._nodes = me, nodes
        self.is_cut = False
        self.reports: list[tuple[PeerId, ReputationChange]] = []

    def on_message(self, message: Message) -> None:
        match message:
            case SendMessage(peers, _, payload):
                for peer in peers:
                    other = self._nodes.get(peer)
                    if other is not None and not (self.is_cut or other.wires.is_cut):
                        other.overseer.send(ApprovalNetwork(PeerMessage(self._me, payload)))
            case ReportPeer(peer, change):
                self.reports.append((peer, change))


class CheckingNode:
    """One validator."""

    def __init__(
        self,
        index: int,
        chain: RelayChain,
        nodes: dict[PeerId, CheckingNode],
        *,
        keys: KeyStore | None = None,
        database: Database | None = None,
    ) -> None:
        self.peer = PeerId(f"node {index}")
        self.keys = keys or key_store(index)
        self.database = database or MemoryDatabase()
        final = chain.finalized.number
        self.voting = ApprovalVoting(self.keys, self.database, PARAMETERS, chain, final)
        self.distribution = ApprovalDistribution(DirectVerifier(), 6000, final)
        self.checker, self.coordinator = Checker(), Coordinator()
        self.wires = Wires(self.peer, nodes)
        self.chain = chain
        self.overseer: Overseer = make_overseer(
            [
                self.voting,
                self.distribution,
                self.checker,
                self.coordinator,
                self.wires,
                RuntimeApi(chain.state_of),
                ChainApi(chain),
            ]
        )
        nodes[self.peer] = self

    @property
    def journal(self) -> ListJournal:
        journal = self.overseer._journal
        assert isinstance(journal, ListJournal)
        return journal

    def approved(self) -> list[object]:
        """The candidates, in the order in which they were."""
        return [e["candidate"] for name, e in self.journal.events if name == "approval.approved"]

    def announced(self) -> list[object]:
        """The candidates that it has said it checks."""
        return [e["candidate"] for name, e in self.journal.events if name == "approval.assigned"]

    def meets(self, *peers: PeerId, head: Header) -> None:
        """Peers connect, and work on that block."""
        view = View((head.hash(),), self.chain.finalized.number)
        for peer in peers:
            self.overseer.send(ApprovalNetwork(PeerConnected(peer, ObservedRole.AUTHORITY)))
            self.overseer.send(ApprovalNetwork(PeerViewChange(peer, view)))
        self.overseer.send(ApprovalNetwork(OurViewChange(view)))

    def loses(self, *peers: PeerId) -> None:
        """Connections end."""
        for peer in peers:
            self.overseer.send(ApprovalNetwork(PeerDisconnected(peer)))


class CheckingNetwork:
    """Some of the validators of a relay chain, with its head."""

    def __init__(self, chain: RelayChain, who: Sequence[int]) -> None:
        self.chain = chain
        self.by_peer: dict[PeerId, CheckingNode] = {}
        self.nodes = {index: CheckingNode(index, chain, self.by_peer) for index in who}

    @asynccontextmanager
    async def running(self, head: Header) -> AsyncIterator[None]:
        """All of them, connected, on that head, whose slot begins."""
        await self.time_of(head)
        async with AsyncExitStack() as stack:
            for node in self.nodes.values():
                leaf = self.chain.leaf(head)
                await stack.enter_async_context(running(node.overseer, [leaf]))
            for node in self.nodes.values():
                node.meets(*(peer for peer in self.by_peer if peer != node.peer), head=head)
            yield

    async def time_of(self, block: Header) -> None:
        """Wait until the block's slot begins."""
        await trio.sleep(max(block.number * SLOT_S - trio.current_time(), 0))

    async def imports(self, block: Header) -> None:
        """A block comes to all in its slot."""
        await self.time_of(block)
        for node in self.nodes.values():
            node.overseer.block_imported(self.chain.leaf(block))
            node.meets(*(peer for peer in self.by_peer if peer != node.peer), head=block)

    def finalizes(self, block: Header) -> None:
        for node in self.nodes.values():
            finalize(self.chain, node.overseer, block)
