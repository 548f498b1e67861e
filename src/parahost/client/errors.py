"""What can go wrong with a node that is asked."""

from __future__ import annotations

from typing import Any, Final

from parahost.primitives.errors import InputError, OperationalError

LARGEST_ANSWER: Final = 64 << 20


class BadUrl(InputError):
    """The text names no node."""


class Unreachable(OperationalError):
    """The node does not answer, or with something else than JSON-RPC."""


class BlockNotKnown(OperationalError):
    """The node does not know the block, or has forgotten it with its fork."""

    def __init__(self, node: str, block: str) -> None:
        super().__init__(f"{node} knows no block {block}")
        self.block = block


class RpcFailed(OperationalError):
    """The node has answered with an error: its ``code``, ``message`` and ``data``."""

    def __init__(self, method: str, code: int, message: str, data: Any) -> None:
        detail = "" if data is None else f": {data}"
        super().__init__(f"{method}: {message}{detail} ({code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data
