"""JSON-RPC: one question, one answer; over HTTP, or as somebody else brings it."""

from __future__ import annotations

import http.client
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from parahost.client.errors import (
    LARGEST_ANSWER,
    BadUrl,
    BlockNotKnown,
    RpcFailed,
    Unreachable,
)
from parahost.client.websocket import NoWebSocket, subscribed
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import encode_compact

ANSWER_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.5
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


Head = tuple[int, str]
"""A block's number and hash."""


class JsonRpc(ABC):
    """Asks one node, which errors call by its ``name``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked = 0

    def ask(self, method: str, *params: Any) -> Any:
        """The result of a method.

        :raises RpcFailed: when the node says why not.
        :raises Unreachable: when it says nothing that can be understood.
        """
        self._asked += 1
        question = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        answer = self._read(self._exchange(json.dumps(question).encode()))
        error = answer.get("error")
        if isinstance(error, dict):
            code, message = error.get("code", 0), str(error.get("message"))
            raise RpcFailed(method, code, message, error.get("data"))
        if "result" not in answer or answer.get("id") != self._asked:
            raise Unreachable(f"{self._name} does not speak JSON-RPC 2.0")
        return answer["result"]

    def head(self, *, finalized: bool) -> Head:
        """The newest block."""
        method = "chain_getFinalizedHead" if finalized else "chain_getBlockHash"
        block = str(self.ask(method))
        return int(self.header(block)["number"], 16), block

    def header(self, block: str) -> dict[str, Any]:
        """A block's header, as nodes write it.

        :raises BlockNotKnown: when the node does not have it.
        """
        return self._of_block("chain_getHeader", block)

    def extrinsics(self, block: str) -> list[str]:
        """A block's extrinsics in hex, with their lengths.

        :raises BlockNotKnown: when the node does not have it.
        """
        found: list[str] = self._of_block("chain_getBlock", block)["block"]["extrinsics"]
        return found

    def _of_block(self, method: str, block: str) -> dict[str, Any]:
        found = self.ask(method, block)
        if not isinstance(found, dict):
            raise BlockNotKnown(self._name, block)
        return found

    def heads(self, *, finalized: bool) -> Iterator[Head]:
        """The newest block, and whenever it is another; never ends. Here it is asked for again and
        again."""
        told = None
        while True:
            head = self.head(finalized=finalized)
            if head != told:
                yield head
            told = head
            self.pause(POLL_S)

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Let time pass, as the node's clock has it."""

    @abstractmethod
    def _exchange(self, body: bytes) -> bytes:
        """What the node says to a question.

        :raises Unreachable: when it says nothing.
        """

    def _read(self, text: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise Unreachable(f"{self._name} does not speak JSON-RPC: {error}") from error
        if not isinstance(answer, dict):
            raise Unreachable(f"{self._name} does not speak JSON-RPC 2.0")
        return answer


class RpcClient(JsonRpc):
    """Over HTTP. The connection is kept from one question to the next."""

    def __init__(self, url: str) -> None:
        """:raises BadUrl: when it is none of ``http``, ``https``, ``ws`` and ``wss``."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise BadUrl(f"{url} is no address of a node; write http://127.0.0.1:9944")
        secure = parts.scheme in ("https", "wss")
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise BadUrl(f"{url}: {error}") from error
        super().__init__(url)
        self._host, self._port, self._secure = parts.hostname, port, secure
        self._path = parts.path or "/"
        self._connection = kind(parts.hostname, port, timeout=ANSWER_TIMEOUT_S)

    def heads(self, *, finalized: bool) -> Iterator[Head]:
        """As the node tells them; of a node without WebSockets, by asking."""
        method = f"chain_subscribe{'Finalized' if finalized else 'New'}Heads"
        try:
            for header in subscribed(
                self._host, self._port, self._path, method, secure=self._secure
            ):
                yield _head(header)
        except NoWebSocket:
            yield from super().heads(finalized=finalized)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def _exchange(self, body: bytes) -> bytes:
        try:
            return self._posted(body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(f"{self._name} does not answer: {error}") from error

    def _posted(self, body: bytes) -> bytes:
        """What comes back. A connection that the node has closed meanwhile is made anew."""
        headers = {"Content-Type": "application/json"}
        for attempt in (1, 2):
            try:
                self._connection.request("POST", self._path, body, headers)
                response = self._connection.getresponse()
                text = response.read(LARGEST_ANSWER + 1)
            except (ConnectionError, http.client.BadStatusLine):
                self._connection.close()
                if attempt == 2 or self._asked == 1:
                    raise
            else:
                if len(text) > LARGEST_ANSWER:
                    self._connection.close()
                    raise Unreachable(f"{self._name} answers with more than {LARGEST_ANSWER} bytes")
                return text
        raise AssertionError("the second attempt gives an answer or an error")


def _head(header: Any) -> Head:
    """Number and hash of a header as nodes write it. Its digest stays as it is, so that it may be
    of any chain."""
    number, logs = int(header["number"], 16), header["digest"]["logs"]
    form = bytearray(_bytes(header["parentHash"]))
    encode_compact(form, number)
    form += _bytes(header["stateRoot"]) + _bytes(header["extrinsicsRoot"])
    encode_compact(form, len(logs))
    form += b"".join(map(_bytes, logs))
    return number, f"0x{blake2_256(bytes(form)).hex()}"


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
