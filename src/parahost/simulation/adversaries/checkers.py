"""Adversaries among those who check what is included (A54, D21, D22)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost.node.messages.base import Message
from parahost.node.messages.validity import (
    CheckCandidate,
    CheckOutcome,
    CheckVerdict,
    DistributeAssignment,
)
from parahost.node.node import Node
from parahost.primitives.approval import RelayVRFModulo
from parahost.primitives.basic import U32
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.insider import Insider
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class ApprovesUnchecked(Adversary):
    """Finds every candidate valid, without looking at it, be it drawn or asked in a dispute.

    As long as it and its like are at most f, an honest checker looks at each candidate too. Who
    has approved an invalid one loses all it has at stake (D26).
    """

    kind: ClassVar[str] = "approves_unchecked"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Unchecked(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class WithholdsChecks(Adversary):
    """Announces that it checks, in whatever tranche it is drawn, and never tells what it has found.

    It is a no-show, and a further tranche comes to cover it (D22): candidates are accepted later.
    """

    kind: ClassVar[str] = "withholds_checks"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Silent(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class AssignsItselfFalsely(Adversary):
    """Announces that it was drawn in another way than it was: its proof is for something else.

    Nobody takes it for a checker, and who brings such a proof loses reputation (A54, D21).
    """

    kind: ClassVar[str] = "assigns_itself_falsely"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Undrawn(build)

        return alter


class _Unchecked(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        if not isinstance(message, CheckCandidate):
            return (message,)
        message.reply.answer(CheckOutcome(CheckVerdict.VALID, ""))
        return ()


class _Silent(Insider):
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if not (isinstance(message, CheckCandidate) and sender == "approval-voting"):
            return (message,)
        message.reply.drop()
        return ()


class _Undrawn(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        if not isinstance(message, DistributeAssignment):
            return (message,)
        drawn = message.assignment.cert.kind
        other = drawn.sample + 1 if isinstance(drawn, RelayVRFModulo) else 0
        cert = replace(message.assignment.cert, kind=RelayVRFModulo(U32(other)))
        return (replace(message, assignment=replace(message.assignment, cert=cert)),)
