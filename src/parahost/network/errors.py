"""What can go wrong between peers. None of it is a bug of this node."""

from __future__ import annotations

from parahost.primitives.errors import InputError


class NetworkError(InputError):
    """This node cannot take part in the network as configured: which address, why, what to do."""

    def __init__(self, address: str, why: str, remedy: str) -> None:
        super().__init__(f"{address}: {why}; {remedy}")
        self.address = address
        self.why = why
        self.remedy = remedy


class PeerError(Exception):
    """A connection or a stream is over, or never came about. ``str()`` says why."""


class Unsupported(PeerError):
    """The peer does not speak the protocol that was proposed."""


class ProtocolViolation(PeerError):
    """The peer sent what no honest peer sends. It costs reputation and the connection."""
