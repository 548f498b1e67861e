"""Approval Distribution, protocol ``appr``: who checks what, and who has found it valid (D22)."""

from __future__ import annotations

from typing import ClassVar

from parahost.metrics.metric import Counter
from parahost.node.gossip import Gossip, Wire
from parahost.node.messages.base import Message
from parahost.node.messages.signals import BlockFinalized, OverseerSignal
from parahost.node.messages.validity import (
    ApprovalNetwork,
    DistributeAssignment,
    DistributeCheck,
    DistributeChecksOf,
    ForgetChecksOf,
    ImportAssignment,
    ImportCheck,
)
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import APPROVAL_DISTRIBUTION
from parahost.node.validity.approval_rules import (
    ApprovalHeard,
    ApprovalRules,
    AssignmentHeard,
    AssignmentOnWire,
    CheckHeard,
    CheckOnWire,
    TimeNow,
    item_of,
    messages,
    read,
)
from parahost.ports import Verifier
from parahost.primitives.approval import AssignmentCertKind, RelayVRFDelay
from parahost.primitives.basic import U32, BlockNumber, Hash, PeerId

_MODULO, _DELAY = "VRF Modulo", "VRF Delay"
ASSIGNMENTS_IMPORTED = Counter(
    "polkadot_parachain_assignments_imported_total",
    "Announced checks of this node and others whose proof is right, by how they were drawn.",
    ("kind",),
    ((_MODULO,), (_DELAY,)),
)
CHECKS_IMPORTED = Counter(
    "polkadot_parachain_approvals_imported_total",
    "Checks of this node and others that found a candidate valid, and are signed rightly.",
)


class ApprovalDistribution(Subsystem):
    """Gossip of checks about blocks that are not done with, among the nodes that work above
    them."""

    name = "approval-distribution"
    receives = (
        ApprovalNetwork,
        DistributeChecksOf,
        ForgetChecksOf,
        DistributeAssignment,
        DistributeCheck,
    )
    sends: ClassVar[tuple[type[Message], ...]] = (*Gossip.SENDS, ImportAssignment, ImportCheck)
    metrics = (ASSIGNMENTS_IMPORTED, CHECKS_IMPORTED)

    def __init__(self, verifier: Verifier, slot_ms: int, finalized: BlockNumber) -> None:
        """``finalized``: the number of the final block at the start."""
        self._verifier = verifier
        self._slot_ms = slot_ms
        self._finalized = finalized
        self._moment = TimeNow()
        wire = Wire(APPROVAL_DISTRIBUTION, ApprovalNetwork, read, messages)
        self._gossip = Gossip(wire, self._on_news)

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._gossip.start(ctx)

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, BlockFinalized):
            self._finalized = signal.number
            self._gossip.close_up_to(signal.number)

    def on_message(self, message: Message) -> None:
        self._moment.now_ms = round(self.ctx.clock.now() * 1000)
        match message:
            case ApprovalNetwork(event):
                self._gossip.on_event(event)
            case DistributeChecksOf(block, below):
                if block.number > self._finalized:
                    rules = ApprovalRules(block, self._slot_ms, self._moment, self._verifier)
                    self._gossip.open(
                        block.hash, block.number, rules, block.validators, parent=below
                    )
            case ForgetChecksOf(block_hash):
                self._gossip.close(block_hash)
            case DistributeAssignment(block, index, assignment):
                self._count_assignment(assignment.cert.kind)
                said = AssignmentOnWire(U32(index), assignment)
                self._gossip.publish(block, item_of(said))
            case DistributeCheck(block, index, approval):
                self.ctx.meter.count(CHECKS_IMPORTED)
                self._gossip.publish(block, item_of(CheckOnWire(U32(index), approval)))

    def _on_news(self, block: Hash, heard: ApprovalHeard, peer: PeerId) -> None:
        match heard:
            case AssignmentHeard(candidate, assignment, tranche):
                self._count_assignment(assignment.cert.kind)
                self.ctx.send(ImportAssignment(block, candidate, assignment, tranche))
            case CheckHeard(candidate, approval):
                self.ctx.meter.count(CHECKS_IMPORTED)
                self.ctx.send(ImportCheck(block, candidate, approval))

    def _count_assignment(self, kind: AssignmentCertKind) -> None:
        self.ctx.meter.count(
            ASSIGNMENTS_IMPORTED, _DELAY if isinstance(kind, RelayVRFDelay) else _MODULO
        )
