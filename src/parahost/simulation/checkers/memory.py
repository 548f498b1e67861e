"""Memory: what a node holds is bounded by the network's size, not by what others send."""

from __future__ import annotations

from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker
from parahost.simulation.memory import Held
from parahost.simulation.record import RecordedBlock

MEASURED_EVERY = 32
"""Blocks: to count takes as long as a node's work for a fifth of a block."""
NODES_AT_A_TIME = 16
"""In a large network the nodes are looked at in turns."""
HEADS_IN_VIEW = 5
BLOCKS_REMEMBERED = 256
"""Blocks of which a node knows the candidates and the runtime's answers."""
BLOCKS_KNOWN_OF_PEER = 1024
VOTES_KNOWN_OF_PEER = 6
"""Finality votes of a validator that a peer may have: two in each of three rounds."""
BYTES_PER_ENTRY = 48
"""Most entries are hashes of 32 bytes and names of 52."""
BYTES_MADE = {"availability-store._made": 64 << 20}
"""Parts that hold data by a limit of their own, in bytes: chunks that wait to be handed on."""
ROOM = 2
"""How many times what is reckoned a node may hold."""


class BoundedMemory(Checker):
    """An honest node that is up holds what the network's size and the node's own limits explain.

    Reckoned, in entries, are besides what every node has: for each block that is remembered its
    answers, and the candidate of each core; for each peer what it works on, and the blocks and
    votes that it is known to have; for each head in view or not yet final what each validator says
    of it, and for each core of its candidate and the checks of another; for each dispute that can
    still be judged what each validator has signed. Bytes go with entries, but for what has a limit
    in bytes. An undisturbed network comes to less than half of the bound. Where a node lets things
    wait for others, its limits would allow more; but what waits for long is forgotten with its
    head.
    """

    name = "bounded_memory"

    def on_block(self, block: RecordedBlock) -> None:
        if block.number % MEASURED_EVERY == 0:
            self.at_end()

    def at_end(self) -> None:
        bound, nodes = self.bound(), self.scene.plan.nodes
        first = self.scene.record.best().number % len(nodes)
        in_turn = (nodes[first:] + nodes[:first])[:NODES_AT_A_TIME]
        for node in in_turn:
            if not self.scene.is_honest(node.name):
                continue
            parts = self._reckoned(node.name)
            held = sum(parts.values(), Held())
            if held.entries > bound.entries or held.size > bound.size:
                most = max(parts, key=lambda part: (parts[part].size, parts[part].entries))
                self.violated(
                    f"{node.name} holds {held}, {bound} can be explained; {parts[most]} in {most}"
                )

    def _reckoned(self, name: str) -> dict[str, Held]:
        """What a node holds, without the bytes that are a part's own by right."""
        parts = dict(self.scene.memory_of(name))
        for part, limit in BYTES_MADE.items():
            held = parts.get(part, Held())
            parts[part] = Held(held.entries, max(0, held.size - ROOM * limit))
        return parts

    def bound(self) -> Held:
        """The most that a node may hold now."""
        record, shape = self.scene.record, self.scene.plan.shape
        blocks, peers = len(record.blocks), len(self.scene.plan.nodes) - 1
        heads = HEADS_IN_VIEW + record.best().number - record.last_final().number
        entries = ROOM * (
            256
            + min(blocks, BLOCKS_REMEMBERED) * (16 + 8 * shape.cores)
            + peers * (64 + min(blocks, BLOCKS_KNOWN_OF_PEER))
            + peers * shape.validators * VOTES_KNOWN_OF_PEER
            + heads * shape.validators * (4 + 6 * shape.cores)
            + len(reading.disputes(record.best().state)) * (16 + 4 * shape.validators)
        )
        return Held(entries, entries * BYTES_PER_ENTRY)
