"""Why nodes of a simulation think less of others."""

from __future__ import annotations

from collections.abc import Iterable

from parahost.node.messages.base import Message
from parahost.node.messages.network import ReportPeer
from parahost.primitives.basic import PeerId
from parahost.simulation import Simulation
from parahost.simulation.build import Build


class Reproaches:
    """What honest nodes' subsystems held against whom: (name of the accused, reason)."""

    def __init__(self, simulation: Simulation) -> None:
        self.made: dict[tuple[str, str], int] = {}
        self._names = {node.peer: node.name for node in simulation.plan.nodes}
        for name, node in simulation.nodes.items():
            if simulation.is_honest(name):
                node.alterations.append(self._attend)

    def against(self, name: str) -> list[str]:
        """The reasons, each once."""
        return [reason for accused, reason in self.made if accused == name]

    def _attend(self, build: Build) -> None:
        build.interceptors.append(self)

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, ReportPeer) and message.change.value < 0:
            self._note(message.peer, message.change.reason)
        return (message,)

    def _note(self, peer: PeerId, reason: str) -> None:
        key = (self._names[peer], reason)
        self.made[key] = self.made.get(key, 0) + 1
