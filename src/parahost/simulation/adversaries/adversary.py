"""What an adversary is: a normal node with somebody between its parts and the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from parahost.node.role import Role
from parahost.simulation.build import Alteration
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class Adversary(ABC):
    """Derive from it as a frozen dataclass; override :meth:`conspire`.

    ``who``: names of nodes that act so, in concert. A node may be several adversaries at once.
    """

    kind: ClassVar[str]
    """The adversary's name in TOML and in reports."""
    role: ClassVar[Role] = Role.VALIDATOR

    who: tuple[str, ...]

    def check(self, roles: dict[str, Role]) -> None:
        """:raises ValueError: when it cannot be, in a network of these nodes."""
        if not self.who:
            raise ValueError(f"{self.kind}: nobody is named in `who`")
        for name in self.who:
            if name not in roles:
                raise ValueError(f"{self.kind}: there is no node {name}")
            if roles[name] is not self.role:
                raise ValueError(f"{self.kind}: {name} is no {self.role.value}")
            if self.who.count(name) > 1:
                raise ValueError(f"{self.kind}: {name} is named twice")

    @abstractmethod
    def conspire(self, world: World) -> Alteration:
        """Called once per run. The alteration is applied to each of the nodes before each of their
        lives: what it holds is what they share."""


class Outsider(Adversary):
    """Who is none of the network's nodes: ``who`` are names of its own."""

    def check(self, roles: dict[str, Role]) -> None:
        """:raises ValueError: when it cannot be, in a network of these nodes."""
        super().check(roles | dict.fromkeys(self.who, self.role))
        for name in self.who:
            if name in roles:
                raise ValueError(f"{self.kind}: {name} is a node of the network")

    def conspire(self, world: World) -> Alteration:
        raise TypeError(f"{self.kind} has no node that could be altered")

    @abstractmethod
    async def take_part(self, world: World, name: str) -> None:
        """What one of them does, from the start of a run to its end."""
