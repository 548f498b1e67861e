"""A chain of the runtime's tests as checkers see it: real blocks, and states that lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from parahost.node.role import Role
from parahost.primitives.header import Block, Extrinsic
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime.storage import Overlay, State
from parahost.simulation.checkers import Checker, Scene
from parahost.simulation.plan import NetworkPlan, NodePlan, Shape, node_identity
from parahost.simulation.record import ChainRecord, RecordedBlock
from parahost.storage.memory import MemoryDatabase
from tests.runtime.world import NAMES, Chain, account, grandpa_key, key

SLOT_S = 6.0


class DoctoredRun:
    """A run with one checker: whoever has a key of the runtime's tests is a node of that name."""

    def __init__(
        self,
        check: type[Checker],
        chain: Chain,
        *,
        dishonest: Sequence[str] = (),
        calm_since: float = 0.0,
        is_undisturbed: bool = False,
    ) -> None:
        owners = {key(name, role).public: name for name in NAMES for role in ("babe", "para")}
        owners |= {grandpa_key(name).public: name for name in NAMES}
        genesis = chain.genesis.build()
        nodes = tuple(
            NodePlan(name, Role.VALIDATOR, node_identity(name).peer, ()) for name in NAMES
        )
        plan = NetworkPlan(
            Shape(), genesis, (), (), nodes, owners, {account(name): name for name in NAMES}
        )
        self.chain = chain
        self.record = ChainRecord(genesis)
        self.dishonest = set(dishonest)
        scene = Scene(
            plan,
            self.record,
            is_honest=lambda name: name not in self.dishonest,
            disk_of=lambda name: MemoryDatabase(),
            state_of=lambda name, block: self.record.blocks[block].state,
            queues_of=lambda name: {},
            memory_of=lambda name: {},
            is_excused=lambda name: False,
            is_damaged=lambda name: False,
            calm_since=lambda: calm_since,
            is_undisturbed=lambda: is_undisturbed,
        )
        self.checker = check(scene)
        self.tip = self.record.genesis
        replayed = Chain(chain.genesis)
        for block in chain.blocks:
            replayed.state = replayed.execute(block).state
            self._see(block, replayed.state)

    def step(
        self,
        *extrinsics: Extrinsic,
        slot: int | None = None,
        data: ParachainsInherentData | None = None,
        doctor: Callable[[Overlay], object] | None = None,
        at: float | None = None,
    ) -> RecordedBlock:
        """The next block, after which somebody lays hands on the state. ``at``: when it is first
        imported, if not as its number has it."""
        block = self.chain.step(*extrinsics, slot=slot, data=data)
        if doctor is not None:
            store = Overlay(self.chain.state)
            doctor(store)
            self.chain.state = store.commit()
        return self._see(block, self.chain.state, at)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def fork(self, number: int) -> None:
        """Go on from the block of that number."""
        self.tip = next(block for block in self.tip.ancestry() if block.number == number)
        self.chain = replace(self.chain)
        self.chain.state, self.chain.header = self.tip.state, self.tip.header

    def end(self) -> str:
        """The run is over; gives the verdict."""
        self.checker.at_end()
        return self.checker.verdict

    def _see(self, block: Block, state: State, at: float | None = None) -> RecordedBlock:
        header = block.header
        if at is None:
            at = len(self.record.blocks) * SLOT_S
        self.tip = RecordedBlock(header.hash(), header, block.extrinsics, state, self.tip, at)
        self.record.add(self.tip)
        self.checker.on_block(self.tip)
        return self.tip
