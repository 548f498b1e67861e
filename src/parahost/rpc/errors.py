"""Errors that clients are told, by the numbers that Substrate's nodes use.

Those of JSON-RPC 2.0 first, then those of the server, then those of the method families.
"""

from __future__ import annotations

from parahost.rpc.values import Json


class RpcError(Exception):
    """What the client gets in place of a result."""

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def form(self) -> Json:
        error: dict[str, Json] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


# JSON-RPC 2.0


class ParseError(RpcError):
    """What came is not JSON."""

    def __init__(self) -> None:
        super().__init__(-32700, "Parse error")


class InvalidRequest(RpcError):
    """It is JSON, and no request."""

    def __init__(self) -> None:
        super().__init__(-32600, "Invalid request")


class MethodNotFound(RpcError):
    def __init__(self, name: str) -> None:
        super().__init__(-32601, "Method not found")
        self.name = name


class UnsafeMethod(RpcError):
    """The method is for the node's operator, and this server is open to others too."""

    def __init__(self) -> None:
        super().__init__(-32601, "RPC call is unsafe to be called externally")


class NeedsWebSocket(RpcError):
    """A subscription over plain HTTP has nowhere to go."""

    def __init__(self) -> None:
        super().__init__(-32601, "Subscriptions need a WebSocket")


class InvalidParams(RpcError):
    def __init__(self, why: str) -> None:
        super().__init__(-32602, "Invalid params", why)


class InternalError(RpcError):
    """A bug of ours; the log has it."""

    def __init__(self) -> None:
        super().__init__(-32603, "Internal error")


# The server


class BatchTooLarge(RpcError):
    def __init__(self, limit: int) -> None:
        super().__init__(
            -32010, "The batch request was too large", f"Exceeded max limit of {limit}"
        )


class TooManySubscriptions(RpcError):
    def __init__(self, limit: int) -> None:
        super().__init__(
            -32006, "Too many subscriptions on the connection", f"Exceeded max limit of {limit}"
        )


class AnswerTooLarge(RpcError):
    def __init__(self, limit: int) -> None:
        super().__init__(-32008, "Response is too big", f"Exceeded max limit of {limit}")


class RequestTooLarge(RpcError):
    def __init__(self, limit: int) -> None:
        super().__init__(-32007, "Request is too big", f"Exceeded max limit of {limit}")


class TooManyValues(RpcError):
    """A request of many small values, which cost much more than their text."""

    def __init__(self, limit: int) -> None:
        super().__init__(-32007, "Request is too big", f"Exceeded max limit of {limit} values")


class Busy(RpcError):
    def __init__(self) -> None:
        super().__init__(-32009, "Server is busy, try again later")


# State


class StateError(RpcError):
    """``why`` in the words of Substrate's nodes: some clients compare them."""

    def __init__(self, why: str) -> None:
        super().__init__(4003, f"Client error: {why}")


class NoSuchBlock(StateError):
    def __init__(self, block: bytes) -> None:
        super().__init__(f"UnknownBlock: Header was not found in the database: 0x{block.hex()}")


class StateDiscarded(StateError):
    def __init__(self, block: bytes) -> None:
        super().__init__(f"UnknownBlock: State already discarded for 0x{block.hex()}")


class BadBlockRange(RpcError):
    """The second block does not come after the first one on one chain, or too long after it."""

    def __init__(self, first: bytes, last: bytes, why: str) -> None:
        super().__init__(
            4001, f"Cannot resolve a block range [0x{first.hex()} ... 0x{last.hex()}]: {why}"
        )


class CallFailed(StateError):
    """A Runtime API cannot be asked this."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Execution failed: Other: {why}")


class TooManyKeys(RpcError):
    def __init__(self, count: int, limit: int) -> None:
        super().__init__(4002, f"count exceeds maximum value. value: {count}, max: {limit}")


# Transactions


class BadFormat(RpcError):
    """The extrinsic cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(1001, f"Extrinsic has invalid format: {why}")


class TransactionRefused(RpcError):
    """The runtime or the pool does not take it; ``data`` says why."""


# The node


class MalformedPeer(RpcError):
    """The text is no address, or no peer's name."""

    def __init__(self, why: str) -> None:
        super().__init__(2002, why)


# Keys


class KeyRefused(RpcError):
    """A key, or its purpose, is none that the key store takes or has."""

    def __init__(self, message: str, why: str | None = None) -> None:
        super().__init__(1040, message, why)


# chainHead


class TooManyFollows(RpcError):
    def __init__(self) -> None:
        super().__init__(-32800, "Maximum number of chainHead_follow has been reached")


class NotPinned(RpcError):
    """The block is none that the subscription has told of, or it was let go."""

    def __init__(self) -> None:
        super().__init__(-32801, "Invalid block hash")


class NeedsRuntime(RpcError):
    """The subscription was begun without the runtime."""

    def __init__(self) -> None:
        super().__init__(
            -32802, "The runtime updates flag must be set for the chainHead_follow subscription"
        )


class NotWaiting(RpcError):
    """No operation of that name waits to be continued."""

    def __init__(self) -> None:
        super().__init__(-32803, "Wait-for-continue event was not generated for the subscription")


class NamedTwice(RpcError):
    def __init__(self) -> None:
        super().__init__(-32804, "Received duplicate hashes for the chainHead_unpin")
