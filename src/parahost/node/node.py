"""A whole node, put together from its parts and handed its ports.

The same in all worlds: what differs between a process on the internet and one of a thousand nodes
in a simulation is only what stands behind the ports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from parahost.chain.blocks import Execute
from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import StateUnavailable, UnknownBlock
from parahost.chain.importing import Importer
from parahost.chain.pool import PoolRefused, TransactionGossip, TransactionPool
from parahost.chain.sync import Sync
from parahost.consensus.babe.epochs import BabeParameters, EpochView
from parahost.consensus.grandpa import GrandpaVoter, VotingRule
from parahost.consensus.grandpa.blocks import finalized_of
from parahost.metrics.meter import NodeMeter
from parahost.node import readings
from parahost.node.authoring.author import Author
from parahost.node.authoring.proposer import BlockProposer
from parahost.node.chain_journal import (
    record_best,
    record_finality,
    record_import,
    record_verdicts,
)
from parahost.node.clock_watch import ClockWatch
from parahost.node.collation.bans import FIRST_BAN_S, CollatorBans
from parahost.node.collation.para_standing import Expected
from parahost.node.counted_network import CountedNetwork
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.utility import ReportMisbehavior
from parahost.node.overseer import Interceptor, Overseer
from parahost.node.overseer.overseer import Pick
from parahost.node.own_part import OwnPart
from parahost.node.own_signatures import WatchedVerifier
from parahost.node.role import Role
from parahost.node.subsystems import make_subsystems
from parahost.node.utility.runtime_api import Ask, ask_state
from parahost.node.validity.viability import Viability
from parahost.node.validity.voting_limit import VotingLimit
from parahost.ports import (
    Clock,
    Database,
    Executor,
    Journal,
    KeyStore,
    Network,
    PeerSteering,
    Random,
    ValidationHost,
    Verifier,
)
from parahost.ports.collator import Collator
from parahost.primitives.basic import Hash, ParaId
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.limits import is_outgrown
from parahost.primitives.runtime_api import CandidateBackedEvent
from parahost.runtime import api
from parahost.runtime.errors import InvalidTransaction
from parahost.runtime.executive import Runtime
from parahost.runtime.storage import State

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_INITIAL_LEAVES = 5
GOSSIP_PER_SLOT = 6
"""GRANDPA's T is a slot divided by this, and at most a second: how long a message takes to reach
everybody."""


@dataclass(frozen=True, slots=True)
class Ports:
    """A node's world. ``steering`` is the network's other face."""

    clock: Clock
    random: Random
    journal: Journal
    database: Database
    keystore: KeyStore
    network: Network
    steering: PeerSteering
    verifier: Verifier
    validation_host: ValidationHost
    executor: Executor
    meter: NodeMeter = field(default_factory=NodeMeter)
    """What is counted in this life of the node; :func:`parahost.node.tallies.counted` has it count
    from the journal, too."""


@dataclass(frozen=True, slots=True)
class Collating:
    """What a collator's node works for."""

    collator: Collator
    para_id: ParaId
    expected: Expected


@dataclass(frozen=True, slots=True)
class Tweaks:
    """What a simulation changes about a node: nothing by default.

    ``execute`` stands around the runtime's block execution and ``ask`` around its API (to share
    results), ``pick`` chooses the next subsystem, ``interceptors`` stand between subsystems,
    ``capacity`` bounds queues.
    """

    execute: Callable[[Execute], Execute] = lambda execute: execute
    ask: Ask = ask_state
    pick: Pick | None = None
    interceptors: Sequence[Interceptor] = ()
    capacity: int = 1024


class Node:
    """One node of the network. Construct it, then ``run`` it, then run its network."""

    role: Role
    ports: Ports
    collating: Collating | None
    bans: CollatorBans
    ask: Ask
    """Asks a function of the Runtime API on a state."""
    runtime: Runtime
    parameters: BabeParameters
    chain: Chain
    own_part: OwnPart
    watched: WatchedVerifier
    """Verifies what peers send, where a chain's blocks are not concerned."""
    viability: Viability
    voting_limit: VotingLimit
    grandpa: GrandpaVoter

    def __init__(
        self,
        genesis: State,
        role: Role,
        ports: Ports,
        *,
        collating: Collating | None = None,
        archive: bool = False,
        collator_ban_s: float = FIRST_BAN_S,
        voting_rule: VotingRule | None = None,
        tweaks: Tweaks | None = None,
    ) -> None:
        """Opens the chain in the database, or begins it there. ``voting_rule`` says where this
        node's votes on finality stop, instead of what it finds itself (D27).

        :raises ForeignDatabase: when it holds another chain.
        :raises DamagedDatabase: when it contradicts itself.
        :raises DatabaseError: when it cannot be used.
        """
        tweaks = tweaks or Tweaks()
        network = CountedNetwork(ports.network, ports.meter, ports.clock)
        ports = replace(ports, network=network)
        self.role, self.ports, self.collating = role, ports, collating
        self.bans = CollatorBans(ports.database, collator_ban_s)
        self.ask = tweaks.ask
        self.runtime = Runtime(ports.verifier)
        epochs = EpochView.of_genesis(genesis)
        self.parameters = epochs.parameters
        self.chain = Chain.open(
            ports.database,
            genesis,
            epochs,
            execute=tweaks.execute(self.runtime.execute_block),
            verifier=ports.verifier,
            clock=ports.clock,
            archive=archive,
        )
        self.own_part = OwnPart(
            ports.journal, ports.keystore, ports.clock, self.parameters, self.chain
        )
        self.watched = WatchedVerifier(
            ports.verifier, ports.keystore, ports.clock, self.own_part.own_key_signed
        )
        self.viability = Viability()
        self.voting_limit = VotingLimit(self.chain, finalized_of(self.chain))
        self.importer = Importer(self.chain, ports.executor)
        self.grandpa = GrandpaVoter(
            self.chain,
            network=ports.network,
            keystore=ports.keystore,
            verifier=self.watched,
            database=ports.database,
            clock=ports.clock,
            random=ports.random,
            genesis_authorities=api.grandpa_authorities(genesis),
            gossip_s=min(1.0, self.parameters.slot_duration_s / GOSSIP_PER_SLOT),
            on_equivocation=self._report,
            on_unplaced_vote=self.watched.look,
            voting_rule=voting_rule or self.voting_limit.rule,
        )
        self.sync = Sync(
            self.chain,
            self.importer,
            ports.network,
            ports.clock,
            random=ports.random,
            import_justification=self.grandpa.import_justification,
        )
        self.grandpa.seek = self.sync.seek
        self.pool = TransactionPool(self.chain, self.runtime)
        self.transactions = TransactionGossip(self.pool, ports.network)
        self.overseer = Overseer(
            make_subsystems(self),
            clock=ports.clock,
            random=ports.random,
            journal=ports.journal,
            executor=ports.executor,
            capacity=tweaks.capacity,
            pick=tweaks.pick,
            interceptors=tweaks.interceptors,
            meter=ports.meter,
        )
        ports.meter.declare(*readings.NODE_METRICS)
        ports.meter.read_from(partial(readings.readings, self))
        self.chain.on_equivocation = self._report
        self.chain.first_unviable = self.viability.first_unviable
        self.chain.reconsider()
        watch = ClockWatch(ports.clock, ports.journal, self.parameters, self.chain.sealed_by)
        self.sync.on_header = watch.heard
        self.chain.subscribe(self._on_chain)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. Started once everything may receive from the network.

        :raises SubsystemFailed: when a subsystem fails (A69).
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self.overseer.run, self._initial_leaves())
            nursery.start_soon(self.sync.run)
            nursery.start_soon(self.pool.run)
            nursery.start_soon(self.grandpa.run)
            if self.role is Role.VALIDATOR:
                nursery.start_soon(self._author().run)
            task_status.started()

    # How the parts meet

    def _author(self) -> Author:
        ports = self.ports
        proposer = BlockProposer(
            self.overseer,
            self.runtime,
            ports.clock,
            ports.journal,
            ports.executor,
            header_of=self.chain.header,
            state_of=self.chain.state,
            transactions=self.pool.ready,
            parameters=self.parameters,
        )
        author = Author(
            self.chain,
            self.importer,
            self.parameters,
            ports.keystore,
            ports.clock,
            proposer,
            ready=self._may_author,
        )
        author.on_sealed = self.own_part.sealed
        return author

    def _may_author(self) -> bool:
        """Not while our head is stale, and not alone where others are meant to be."""
        if self.sync.catching_up:
            return False
        alone = len(api.babe_authorities(self.chain.state(self.chain.best_hash))) == 1
        return alone or bool(self.ports.network.connected())

    def _initial_leaves(self) -> list[ActiveLeaf]:
        """The heads that may be built on, the best one last (A66)."""
        found = []
        for leaf in self.chain.heads()[:MAX_INITIAL_LEAVES]:
            header = self.chain.header(leaf)
            assert header is not None, "a head is in the tree"
            if not is_outgrown(header.number, self.chain.best.number):
                found.append(self._leaf(leaf, header))
        return found[::-1]

    def _leaf(self, block: Hash, header: Header) -> ActiveLeaf:
        leaf: ActiveLeaf = self.ask(ActiveLeaf, self.chain.state(block), (block, header))
        return leaf

    def state_of(self, block: Hash) -> State | None:
        try:
            return self.chain.state(block)
        except (UnknownBlock, StateUnavailable):
            return None

    def _on_chain(self, event: ChainEvent) -> None:
        match event:
            case BlockImportEvent():
                leaf = self._leaf(event.hash, event.header)
                record_import(self.ports.journal, event, leaf.events)
                record_verdicts(self.ports.journal, event, leaf.state)
                self._record_own_part(event, leaf)
                if self.chain.is_viable(event.hash):
                    self.overseer.block_imported(leaf)
                else:
                    self._work_on_best()
                if event.new_best:
                    self.overseer.best_moved(event.header.number)
            case BestBlockEvent():
                record_best(self.ports.journal, event)
                self._work_on_best()
                self.overseer.best_moved(event.header.number)
            case BlockFinalizationEvent():
                record_finality(self.ports.journal, event)
                self.overseer.block_finalized(event)

    def reconsider_forks(self) -> None:
        """Leave forks, or take them up again, by what disputes have come to."""
        self.chain.reconsider()
        self._work_on_best()

    def _work_on_best(self) -> None:
        """Work goes on upon the best block, and on none that is left or built over."""
        heads = self.chain.heads()
        left = [leaf for leaf in self.chain.leaves() if not self.chain.is_viable(leaf)]
        left += [leaf for leaf in self.overseer.leaves.all if leaf not in heads]
        self.overseer.fork_reverted(left, self._leaf(self.chain.best_hash, self.chain.best))

    def _record_own_part(self, event: BlockImportEvent, leaf: ActiveLeaf) -> None:
        backed = sum(isinstance(one, CandidateBackedEvent) for one in leaf.events)
        self.own_part.imported(event, backed)
        if event.new_best:
            session = leaf.session
            self.own_part.session_is(session.signing.session_index, session.validators)

    def _report(self, proof: BabeEquivocationProof | GrandpaEquivocationProof) -> None:
        self.overseer.send(ReportMisbehavior(proof))

    def submit(self, extrinsic: Extrinsic) -> bool:
        """A transaction of our own, such as a claim. Gives whether the pool takes it; why not is
        told."""
        try:
            self.transactions.submit(extrinsic)
        except (InvalidTransaction, PoolRefused) as why:
            self.ports.journal.record("transaction.refused", reason=str(why))
            return False
        return True
