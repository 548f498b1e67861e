"""What nodes there are. Who only names one need not import what it is made of."""

from __future__ import annotations

from enum import Enum

from parahost.ports.network import ObservedRole


class Role(Enum):
    """What a node does for the chain."""

    VALIDATOR = "validator"
    COLLATOR = "collator"
    FULL = "full"

    @property
    def observed(self) -> ObservedRole:
        """What peers are told."""
        return {
            Role.VALIDATOR: ObservedRole.AUTHORITY,
            Role.COLLATOR: ObservedRole.COLLATOR,
            Role.FULL: ObservedRole.FULL,
        }[self]
