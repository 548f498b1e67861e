"""What a node tells by itself: a subscription over a WebSocket, read by who waits for it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
)
from wsproto.utilities import ProtocolError

from parahost.client.errors import LARGEST_ANSWER, Unreachable

SILENCE_S: Final = 120.0
"""A node pings more often than that. One that does not is gone."""
_RECEIVE_BYTES: Final = 64 << 10


class NoWebSocket(Exception):
    """The node answers, and takes no WebSocket."""


def subscribed(host: str, port: int, target: str, method: str, *, secure: bool) -> Iterator[Any]:
    """What a subscription without arguments tells, until the node ends it.

    :raises NoWebSocket: when the node takes none.
    :raises Unreachable: when the node is gone, or says what is no JSON-RPC.
    """
    name = f"{host}:{port}"
    try:
        with closing(_connected(host, port, secure=secure)) as connection:
            told = _messages(connection, name, target, method)
            answer = next(told, {})
            if "result" not in answer:
                raise NoWebSocket(answer.get("error"))
            for each in told:
                yield each["params"]["result"]
    except (OSError, ProtocolError, ValueError, TypeError, KeyError) as error:
        raise Unreachable(f"{name} does not answer: {error}") from error
    raise Unreachable(f"{name} has ended the subscription {method}")


def _connected(host: str, port: int, *, secure: bool) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=SILENCE_S)
    if not secure:
        return connection
    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _messages(
    connection: socket.socket, host: str, target: str, method: str
) -> Iterator[dict[str, Any]]:
    """The answer to the one question, then what is told."""
    protocol = WSConnection(ConnectionType.CLIENT)
    connection.sendall(protocol.send(Request(host=host, target=target)))
    text = ""
    while True:
        data = connection.recv(_RECEIVE_BYTES)
        if not data:
            return
        protocol.receive_data(data)
        for event in protocol.events():
            match event:
                case AcceptConnection():
                    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": []}
                    message = Message(data=json.dumps(question))
                    connection.sendall(protocol.send(message))
                case RejectConnection():
                    raise NoWebSocket(event.status_code)
                case Ping():
                    connection.sendall(protocol.send(event.response()))
                case CloseConnection():
                    return
                case Message(data=str(part), message_finished=is_whole):
                    text += part
                    if len(text) > LARGEST_ANSWER:
                        raise Unreachable(f"{host} tells more than {LARGEST_ANSWER} bytes at once")
                    if is_whole:
                        yield json.loads(text)
                        text = ""
