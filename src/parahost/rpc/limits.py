"""What clients may cost a node. docs/RPC.md has the numbers for those who use it.

A client that goes beyond gets an error, or waits; a client that does not read is sent away.
"""

from __future__ import annotations

from typing import Final

from parahost.primitives.limits import (
    KIB,
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_JUSTIFICATION_BYTES,
    MAX_TRANSACTION_BYTES,
    MIB,
)

# Connections

MAX_CONNECTIONS: Final = 512
HEAD_BYTES: Final = 16 * KIB
"""Request line and headers together."""
HEAD_S: Final = 10.0
"""So long may a client take for its request's head, and an idle connection stay open."""
BODY_S: Final = 60.0
"""So long for the body, or for the rest of a message that has begun."""
SEND_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 256 * KIB
"""So long may a client take to read a message, and longer by its size at that rate."""
RECEIVE_BYTES: Final = 64 * KIB
"""At a time."""
PING_S: Final = 30.0
"""A WebSocket on which nothing came for so long is pinged; after as long again it is closed."""

# Requests

MAX_REQUEST_BYTES: Final = 2 * MAX_TRANSACTION_BYTES + 64 * KIB
"""The largest transaction in hex."""
MAX_BATCHED_CALLS: Final = 256
MAX_VALUES: Final = 16 * 1024
"""Of JSON in one request: a small value in text costs much more in memory."""
CALLS_PER_S: Final = 4000
"""Of one connection, and at once after a rest; then it waits."""
CALLS_PER_TURN: Final = 8
"""Of all connections together, until the rest of the node has had its turn."""

# Answers

MAX_ANSWER_BYTES: Final = (
    2 * (MAX_BODY_BYTES + 2 * MAX_HEADER_BYTES) + 5 * MAX_JUSTIFICATION_BYTES + 64 * KIB
)
"""The largest block in hex with a justification, which is told as numbers of up to four
characters a byte."""
ANSWER_S: Final = 10.0
"""So long may a call wait for its turn in the executor."""

# What waits in memory, of all connections

SMALL_MESSAGE_BYTES: Final = 16 * KIB
"""Messages up to this size are not counted: a connection has few of them."""
MAX_UNSENT_MESSAGES: Final = 16
"""Messages that wait on one connection; who has more to say waits."""
REQUEST_BYTES_TOGETHER: Final = 64 * MIB
ANSWER_BYTES_TOGETHER: Final = 128 * MIB

# Subscriptions

MAX_SUBSCRIPTIONS_OF_CONNECTION: Final = 256
MAX_SUBSCRIPTIONS: Final = 4096
MAX_UNTOLD_EVENTS: Final = 512
"""So many blocks may come while a client does not read."""

MAX_FOLLOWS_OF_CONNECTION: Final = 4
MAX_PINNED: Final = 512
"""Blocks that are final or left behind, which one `chainHead_v1_follow` has told of and its client
has not let go. Those that are not final are not counted: the chain has them anyway, and a client
could not follow a chain whose finality stands still."""
FINAL_BLOCKS_TOLD: Final = 10
"""With which a follow begins: a minute's of six seconds, for clients that come back."""
MAX_OPERATIONS: Final = 16
"""Of one follow at a time."""
MAX_BROADCASTS: Final = 16
"""Of one connection at a time."""

# What is kept for them

KEPT_BLOCKS: Final = 64
"""The last that are not final, which may be asked about though finality has left their fork."""
KEPT_BYTES: Final = 64 * MIB
"""Of their extrinsics: an author may make many large blocks for one slot."""

# What one call may ask for

MAX_KEYS: Final = 1000
"""Storage keys in one request, or on one page."""
MAX_QUERIED_BLOCKS: Final = 256
"""Of one `state_queryStorage`: as many as a node that is no archive keeps states of."""
ITEMS_TOLD: Final = 256
"""Storage items in one event."""


def send_patience_s(size: int) -> float:
    """So long may a client take to read a message of that many bytes."""
    return SEND_S + size / SLOWEST_BYTES_PER_S
