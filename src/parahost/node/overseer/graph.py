"""The declared message graph: who may say what to whom."""

from __future__ import annotations

from collections.abc import Sequence

from parahost.node.messages.base import Message
from parahost.node.overseer.context import Subsystem


class GraphError(Exception):
    """Subsystems whose declarations do not fit together: a bug."""


class MessageGraph:
    """Receivers by message class, checked once when the overseer is built."""

    def __init__(self, subsystems: Sequence[Subsystem | type[Subsystem]]) -> None:
        self.receiver: dict[type[Message], int] = {}
        self._subsystems = subsystems
        for index, subsystem in enumerate(subsystems):
            for message in subsystem.receives:
                if message in self.receiver:
                    other = subsystems[self.receiver[message]].name
                    raise GraphError(f"{message.__name__}: {other} and {subsystem.name} receive it")
                self.receiver[message] = index
        for subsystem in subsystems:
            for message in subsystem.sends:
                if message not in self.receiver:
                    raise GraphError(
                        f"{subsystem.name} sends {message.__name__}: nobody receives it"
                    )

    def edges(self) -> list[tuple[str, str, str]]:
        """(sender, message, receiver) for each declared message, in the subsystems' order."""
        return [
            (sender.name, message.__name__, self._subsystems[self.receiver[message]].name)
            for sender in self._subsystems
            for message in sender.sends
        ]
