"""What the network is doing, told from the journals of its nodes.

Pure: lines in, a picture out. A parablock counts as included once a node has imported a relay
block that includes it, until finality leaves that block behind; and as final once such a block is
final or an ancestor of a final one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from parahost.devnet.condition import UntilCondition, UntilKind
from parahost.devnet.verdicts import Verdicts
from parahost.process.journal import JournalLine

BLOCKS_KEPT = 4096
CANDIDATES_KEPT = 4096
RATE_WINDOW_S = 60.0
RECENT_BLOCKS = 12


class CandidateStage(IntEnum):
    """How far a candidate has come (A116); it never goes back."""

    WAITING = 0
    CANDIDATE = 1
    SECONDED = 2
    BACKABLE = 3
    PENDING_AVAILABILITY = 4
    INCLUDED = 5
    ACCEPTED = 6
    TIMED_OUT = 7

    def __str__(self) -> str:
        if self is CandidateStage.PENDING_AVAILABILITY:
            return "pending"
        return self.name.lower().replace("_", " ")


STAGE_OF_EVENT = {
    "collation.made": CandidateStage.CANDIDATE,
    "backing.seconded": CandidateStage.SECONDED,
    "backing.backable": CandidateStage.BACKABLE,
    "chain.backed": CandidateStage.PENDING_AVAILABILITY,
    "chain.included": CandidateStage.INCLUDED,
    "chain.accepted": CandidateStage.ACCEPTED,
    "chain.timed_out": CandidateStage.TIMED_OUT,
}
"""The journal events that move a candidate on."""

REFUSALS = (
    "collation.not_made",
    "collation.not_fetched",
    "collation.refused",
    "collation.no_place",
    "backing.misfit",
    "backing.judged_invalid",
    "backing.judged_undecided",
    "backing.abandoned",
    "provisioner.dropped",
)
"""The journal events that say why a para's candidate goes no further, or why there is none."""
REASON_LENGTH = 200


@dataclass(slots=True)
class ObservedBlock:
    """One block as the journals told of it. ``included``: candidates' short hashes."""

    number: int
    parent: str
    included: dict[str, None] = field(default_factory=dict)
    final: bool = False


@dataclass(frozen=True, slots=True)
class RecentBlock:
    """A relay block that was the first best one at its height; ``at_s`` since the start."""

    number: int
    hash: str
    at_s: float


@dataclass(slots=True)
class Parablock:
    """One included parablock; times in seconds since the start. The relay block is the final one
    that includes it, or the first that was heard of until there is one."""

    candidate: str
    head: str
    relay_block: str
    relay_number: int
    included_s: float
    finalized_s: float | None = None


@dataclass(slots=True)
class Candidate:
    """A candidate on its way. ``included_in``: relay blocks on all forks."""

    para: int
    stage: CandidateStage = CandidateStage.WAITING
    included_in: list[str] = field(default_factory=list)
    parablock: Parablock | None = None


@dataclass(frozen=True, slots=True)
class ObservedRefusal:
    """Why a candidate went no further; ``at_s`` since the start."""

    at_s: float
    reason: str


@dataclass(slots=True)
class ParaPicture:
    """One para: this run's parablocks in order of inclusion, its newest candidate, and its last
    refusal. ``before`` is the last parablock of an earlier run."""

    name: str
    blocks: list[Parablock] = field(default_factory=list)
    before: Parablock | None = None
    newest: str = ""
    stage: CandidateStage = CandidateStage.WAITING
    timed_out: int = 0
    refusal: ObservedRefusal | None = None

    @property
    def last(self) -> Parablock | None:
        return self.blocks[-1] if self.blocks else self.before

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
    """One node: its best and final block as it last said, and what its validator has at stake, in
    parts of a token; ``None`` when that is not known, or it is none."""

    best: int = 0
    final: int = 0
    started: bool = False
    stake: float | None = None


class Observer:
    """Builds the picture of a network from journal lines of its nodes.

    :param paras: names by para id.
    :param nodes: their names.
    :param started_at: the start, in seconds since the Unix epoch.
    """

    def __init__(self, paras: dict[int, str], nodes: Sequence[str], started_at: float) -> None:
        self.started_at = started_at
        self.paras = {para: ParaPicture(name) for para, name in paras.items()}
        self.nodes = {name: NodePicture() for name in nodes}
        self.cores: dict[int, str] = {}
        """The candidate that occupies a core; empty when none does."""
        self.recent: deque[RecentBlock] = deque(maxlen=RECENT_BLOCKS)
        """The newest best blocks, oldest first."""
        self.verdicts = Verdicts()
        self.boot_s: float | None = None
        self.best_number = 0
        self.finalized_number = 0
        self._blocks: dict[str, ObservedBlock] = {}
        self._candidates: dict[str, Candidate] = {}
        self._handlers = {
            "node.started": self._on_started,
            "chain.imported": self._on_imported,
            "chain.finalized": self._on_finalized,
            "chain.backed": self._on_backed,
            "chain.included": self._on_included,
            "chain.timed_out": self._on_timed_out,
            **dict.fromkeys(REFUSALS, self._on_refused),
        }

    def hear(self, node: str, line: JournalLine) -> None:
        """Take in one line of one node's journal. A line without the fields of its event is not
        the node's but its collator's, whose author may write what they like."""
        stage, handler = STAGE_OF_EVENT.get(line.event), self._handlers.get(line.event)
        try:
            if stage is not None:
                self._move_on(line, stage)
            if handler is not None:
                handler(node, line)
            self.verdicts.hear(node, line)
        except (KeyError, ValueError):
            return

    def recall(self, earlier: Observer) -> None:
        """Take over what is known from an earlier run of the same network. It is shown, and not
        counted as this run's."""
        self.recent, self.cores = earlier.recent, earlier.cores
        self.best_number, self.finalized_number = earlier.best_number, earlier.finalized_number
        self._blocks, self._candidates = earlier._blocks, earlier._candidates
        for para_id, picture in self.paras.items():
            before = earlier.paras[para_id]
            picture.before, picture.newest, picture.stage = (
                before.last,
                before.newest,
                before.stage,
            )
        for name, node in self.nodes.items():
            node.best, node.final = earlier.nodes[name].best, earlier.nodes[name].final

    def add(self, node: str, para: tuple[int, str] | None) -> None:
        """A node comes later, perhaps with a para that nobody has collated for."""
        self.nodes.setdefault(node, NodePicture())
        if para is not None:
            self.paras.setdefault(para[0], ParaPicture(para[1]))

    def candidate(self, hash_: str) -> Candidate | None:
        """What is known of a candidate of late."""
        return self._candidates.get(hash_)

    def seconds(self, at: float) -> float:
        """A moment as seconds since the start."""
        return round(at - self.started_at, 3)

    def met(self, condition: UntilCondition, now: float) -> bool:
        """Whether the condition holds now."""
        match condition.kind:
            case UntilKind.TIME:
                return self.seconds(now) >= condition.amount
            case UntilKind.INCLUDED:
                return all(len(p.blocks) >= condition.amount for p in self.paras.values())
            case UntilKind.FINALIZED:
                return all(p.finalized >= condition.amount for p in self.paras.values())

    # Journal events

    def _on_started(self, node: str, line: JournalLine) -> None:
        picture = self.nodes[node]
        picture.started = True
        picture.best = int(line.fields["best"])
        picture.final = int(line.fields["final"])
        self.best_number = max(self.best_number, picture.best)
        self.finalized_number = max(self.finalized_number, picture.final)
        if self.boot_s is None and all(picture.started for picture in self.nodes.values()):
            self.boot_s = self.seconds(line.at)

    def _on_imported(self, node: str, line: JournalLine) -> None:
        block, number = line.fields["block"], int(line.fields["number"])
        if block not in self._blocks:
            self._blocks[block] = ObservedBlock(number, line.fields["parent"])
            _forget_oldest(self._blocks, BLOCKS_KEPT)
        if line.fields["best"] == "1":
            self.nodes[node].best = number
            if number > self.best_number:
                self.best_number = number
                self.recent.append(RecentBlock(number, block, self.seconds(line.at)))

    def _on_finalized(self, node: str, line: JournalLine) -> None:
        number = int(line.fields["number"])
        self.nodes[node].final = number
        block = self._blocks.get(hash_ := line.fields["block"])
        while block is not None and not block.final:
            block.final = True
            for candidate in block.included:
                self._finalize(candidate, hash_, self.seconds(line.at))
            block = self._blocks.get(hash_ := block.parent)
        if number > self.finalized_number:
            self.finalized_number = number
            for para in self.paras.values():
                self._drop_abandoned(para)

    def _on_backed(self, node: str, line: JournalLine) -> None:
        hash_ = line.fields["candidate"]
        candidate = self._candidates.get(hash_)
        if candidate is not None and candidate.stage is CandidateStage.PENDING_AVAILABILITY:
            self.cores[int(line.fields["core"])] = hash_

    def _on_included(self, node: str, line: JournalLine) -> None:
        hash_, block_hash = line.fields["candidate"], line.fields["block"]
        self._free_core(line)
        block, candidate = self._blocks.get(block_hash), self._candidates.get(hash_)
        if block is None or candidate is None or hash_ in block.included:
            return
        block.included[hash_] = None
        candidate.included_in.append(block_hash)
        at = self.seconds(line.at)
        if candidate.parablock is None:
            candidate.parablock = Parablock(
                hash_, line.fields["head"], block_hash, block.number, at
            )
            self.paras[candidate.para].blocks.append(candidate.parablock)
        if block.final:
            self._finalize(hash_, block_hash, at)

    def _on_timed_out(self, node: str, line: JournalLine) -> None:
        self._free_core(line)

    def _on_refused(self, node: str, line: JournalLine) -> None:
        """The words may be a peer's, or a collator's author's: none of them moves the cursor."""
        words = line.fields["reason"][:REASON_LENGTH]
        reason = "".join(letter if letter.isprintable() else " " for letter in words)
        self.paras[int(line.fields["para"])].refusal = ObservedRefusal(
            self.seconds(line.at), reason
        )

    # What follows from them

    def _move_on(self, line: JournalLine, stage: CandidateStage) -> None:
        hash_ = line.fields["candidate"]
        candidate = self._candidates.get(hash_)
        if candidate is None:
            para_id = int(line.fields.get("para", -1))
            if para_id not in self.paras:
                return
            candidate = self._candidates[hash_] = Candidate(para_id)
            self.paras[para_id].newest = hash_
            _forget_oldest(self._candidates, CANDIDATES_KEPT)
        if stage <= candidate.stage:
            return
        candidate.stage = stage
        para = self.paras[candidate.para]
        if para.newest == hash_:
            para.stage = stage
        if stage is CandidateStage.TIMED_OUT:
            para.timed_out += 1

    def _free_core(self, line: JournalLine) -> None:
        core = int(line.fields["core"])
        if self.cores.get(core) in (None, line.fields["candidate"]):
            self.cores[core] = ""

    def _finalize(self, hash_: str, block_hash: str, at_s: float) -> None:
        candidate = self._candidates.get(hash_)
        if candidate is None or candidate.parablock is None:
            return
        parablock = candidate.parablock
        if parablock.finalized_s is None:
            parablock.finalized_s = at_s
            parablock.relay_block = block_hash
            parablock.relay_number = self._blocks[block_hash].number

    def _drop_abandoned(self, para: ParaPicture) -> None:
        """Take back what only relay blocks included that finality has left behind."""
        for parablock in [block for block in para.blocks if block.finalized_s is None]:
            candidate = self._candidates.get(parablock.candidate)
            if candidate is None or parablock.relay_number > self.finalized_number:
                continue
            left = [
                hash_
                for hash_ in candidate.included_in
                if hash_ in self._blocks and self._blocks[hash_].number > self.finalized_number
            ]
            if left:
                parablock.relay_block = left[0]
                parablock.relay_number = self._blocks[left[0]].number
            else:
                para.blocks.remove(parablock)
                candidate.parablock = None


def _forget_oldest(kept: dict[str, Any], most: int) -> None:
    if len(kept) > most:
        del kept[next(iter(kept))]
