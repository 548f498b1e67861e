"""Adversaries of availability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from parahost.node.messages.availability import DistributeBitfield
from parahost.node.messages.base import Message
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class NeverClaims(Adversary):
    """Holds chunks and never says so: its bitfields stay at home."""

    kind: ClassVar[str] = "never_claims_availability"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_Silence())

        return alter


class _Silence:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        return () if isinstance(message, DistributeBitfield) else (message,)
