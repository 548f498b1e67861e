"""What the network is doing, told from the journals of its nodes.

Pure: lines in, a picture out. A parablock counts as included once a block that includes it has
been a node's best, and as final once such a block is an ancestor of a final one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from parahost.devnet.condition import Condition, Kind
from parahost.process.journal import JournalLine

BLOCKS_KEPT = 4096
RATE_WINDOW_S = 60.0


@dataclass(slots=True)
class RelayBlock:
    """One block as the journals told of it. ``included``: candidates' short hashes."""

    number: int
    parent: str
    included: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Parablock:
    """One included parablock; times in seconds since the start."""

    candidate: str
    head: str
    relay_block: str
    relay_number: int
    included_s: float
    finalized_s: float | None = None


@dataclass(slots=True)
class ParaPicture:
    """One para: its parablocks in order of inclusion, and where its next one is."""

    name: str
    blocks: list[Parablock] = field(default_factory=list)
    stage: str = "waiting"
    timed_out: int = 0

    @property
    def finalized(self) -> int:
        return sum(block.finalized_s is not None for block in self.blocks)

    def rate_per_minute(self, now_s: float) -> float:
        """Inclusions of late, per minute."""
        window = min(RATE_WINDOW_S, max(now_s, 1.0))
        recent = sum(block.included_s > now_s - window for block in self.blocks)
        return recent * 60 / window


@dataclass(slots=True)
class NodePicture:
    """One node: its best and final block as it last said."""

    best: int = 0
    final: int = 0
    started: bool = False


STAGES = {
    "collation.distributed": "candidate",
    "backing.seconded": "seconded",
    "backing.backable": "backable",
    "chain.backed": "pending availability",
    "chain.included": "included",
}
"""Journal events that move a para's candidate on, and what the stage is called (A116)."""


class Observer:
    """Builds the picture of a network from journal lines of its nodes.

    :param paras: names by para id.
    :param started_at: the start, in seconds since the Unix epoch.
    """

    def __init__(self, paras: dict[int, str], nodes: Sequence[str], started_at: float) -> None:
        self.started_at = started_at
        self.paras = {para: ParaPicture(name) for para, name in paras.items()}
        self.nodes = {name: NodePicture() for name in nodes}
        self.cores: dict[int, str] = {}
        self.boot_s: float | None = None
        self.best_number = 0
        self.finalized_number = 0
        self._blocks: dict[str, RelayBlock] = {}
        self._order: deque[str] = deque()
        self._candidates: dict[str, tuple[int, Parablock]] = {}
        self._final: dict[str, None] = {}

    def hear(self, node: str, line: JournalLine) -> None:
        """Take in one line of one node's journal."""
        handler = {
            "node.started": self._on_started,
            "chain.imported": self._on_imported,
            "chain.finalized": self._on_finalized,
            "chain.backed": self._on_backed,
            "chain.included": self._on_included,
            "chain.timed_out": self._on_timed_out,
        }.get(line.event)
        if handler is not None:
            handler(node, line)
        stage = STAGES.get(line.event)
        if stage is not None and "para" in line.fields:
            para = self.paras.get(int(line.fields["para"]))
            if para is not None:
                para.stage = stage

    def seconds(self, at: float) -> float:
        """A moment as seconds since the start."""
        return round(at - self.started_at, 3)

    def met(self, condition: Condition, now: float) -> bool:
        """Whether the condition holds now."""
        match condition.kind:
            case Kind.TIME:
                return self.seconds(now) >= condition.amount
            case Kind.INCLUDED:
                return all(len(p.blocks) >= condition.amount for p in self.paras.values())
            case Kind.FINALIZED:
                return all(p.finalized >= condition.amount for p in self.paras.values())

    # Journal events

    def _on_started(self, node: str, line: JournalLine) -> None:
        self.nodes[node].started = True
        if self.boot_s is None and all(picture.started for picture in self.nodes.values()):
            self.boot_s = self.seconds(line.at)

    def _on_imported(self, node: str, line: JournalLine) -> None:
        block, number = line.fields["block"], int(line.fields["number"])
        if block not in self._blocks:
            self._blocks[block] = RelayBlock(number, line.fields["parent"])
            self._order.append(block)
            if len(self._order) > BLOCKS_KEPT:
                del self._blocks[self._order.popleft()]
        if line.fields["best"] == "1":
            self.nodes[node].best = number
            self.best_number = max(self.best_number, number)

    def _on_finalized(self, node: str, line: JournalLine) -> None:
        number = int(line.fields["number"])
        self.nodes[node].final = number
        self.finalized_number = max(self.finalized_number, number)
        block: str | None = line.fields["block"]
        while block is not None and block in self._blocks and block not in self._final:
            self._final[block] = None
            for candidate in self._blocks[block].included:
                _, parablock = self._candidates[candidate]
                if parablock.finalized_s is None:
                    parablock.finalized_s = self.seconds(line.at)
            block = self._blocks[block].parent

    def _on_backed(self, node: str, line: JournalLine) -> None:
        para = self.paras.get(int(line.fields["para"]))
        name = para.name if para else line.fields["para"]
        self.cores[int(line.fields["core"])] = f"{name} {line.fields['candidate']}"

    def _on_included(self, node: str, line: JournalLine) -> None:
        candidate, block = line.fields["candidate"], line.fields["block"]
        self.cores[int(line.fields["core"])] = "free"
        relay = self._blocks.get(block)
        para = self.paras.get(int(line.fields["para"]))
        if relay is None or para is None:
            return
        if candidate not in relay.included:
            relay.included.append(candidate)
        if candidate not in self._candidates:
            parablock = Parablock(
                candidate,
                line.fields["head"],
                block,
                relay.number,
                self.seconds(line.at),
            )
            self._candidates[candidate] = (int(line.fields["para"]), parablock)
            para.blocks.append(parablock)
        parablock = self._candidates[candidate][1]
        if block in self._final and parablock.finalized_s is None:
            parablock.finalized_s = self.seconds(line.at)

    def _on_timed_out(self, node: str, line: JournalLine) -> None:
        self.cores[int(line.fields["core"])] = "free"
        para = self.paras.get(int(line.fields["para"]))
        if para is not None and node == next(iter(self.nodes)):
            para.timed_out += 1
