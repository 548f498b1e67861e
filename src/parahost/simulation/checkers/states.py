"""States: whoever executes a block comes to the state that its header promises, and no unit of the
token gets lost in it."""

from __future__ import annotations

from parahost.primitives.basic import Hash
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker
from parahost.simulation.record import RecordedBlock
from parahost.trie import StateVersion, Trie

REBUILT_EVERY = 16
"""A state's trie is made anew from all its entries once in so many blocks."""


class OneStateRoot(Checker):
    """The state of a block has the root that its header says."""

    name = "one_state_root"

    def on_block(self, block: RecordedBlock) -> None:
        root = block.state.root
        if block.number % REBUILT_EVERY == 0:
            entries = dict(block.state.items_raw())
            root = Hash(Trie(StateVersion.V1).insert_many(entries).root)
        if root != block.header.state_root:
            self.violated(
                f"the state's root is 0x{root.hex()[:8]}, "
                f"the header says 0x{block.header.state_root.hex()[:8]}",
                block,
            )

    def on_import(self, node: str, block: RecordedBlock) -> None:
        root = self.scene.state_of(node, block.hash).root
        if root != block.header.state_root:
            self.violated(f"{node} has a state with the root 0x{root.hex()[:8]}", block)


class IssuanceAgrees(Checker):
    """What all accounts have together is what has been issued."""

    name = "issuance_agrees"

    def on_block(self, block: RecordedBlock) -> None:
        issued = reading.issued(block.state)
        held = sum(sum(reading.balance_in(info)) for info in reading.accounts(block.state).values())
        if held != issued:
            self.violated(f"accounts have {held} together, {issued} are issued", block)
