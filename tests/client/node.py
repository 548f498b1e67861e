"""A node for clients: JSON-RPC over HTTP on a chain that makes a block of each extrinsic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Lock, Thread
from typing import Any

from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import decode, encode
from parahost.primitives.ss58 import parse_account
from parahost.runtime.chain_spec import PROPERTIES
from parahost.runtime.errors import InvalidTransaction
from parahost.runtime.genesis import genesis_header
from parahost.runtime.origin import AccountId
from parahost.runtime.runtime_apis import state_call
from parahost.runtime.storage import State
from parahost.runtime.version import SPEC_VERSION, TRANSACTION_VERSION
from tests.runtime.world import Chain


class Node:
    """Answers as a node does. ``asked``: the methods, in order."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.asked: list[str] = []
        header = genesis_header(chain.state)
        self._headers = [header]
        self._bodies: list[tuple[Extrinsic, ...]] = [()]
        self._states = [chain.state]
        self._lock = Lock()

    def step(self, *extrinsics: Extrinsic) -> None:
        block = self.chain.step(*extrinsics)
        self._headers.append(block.header)
        self._bodies.append(block.extrinsics)
        self._states.append(self.chain.state)

    def answer(self, question: Any) -> Any:
        method = question["method"]
        known = {name for name in vars(type(self)) if "_" in name and name[0] != "_"}
        if method not in known:
            return {"error": {"code": -32601, "message": "Method not found"}}
        with self._lock:
            self.asked.append(method)
            try:
                return {"result": getattr(self, method)(*question["params"])}
            except InvalidTransaction as why:
                told = {"code": 1010, "message": "Invalid Transaction", "data": str(why)}
                return {"error": told}

    # The methods

    def chain_getBlockHash(self, number: int | None = None) -> str | None:
        numbers = range(len(self._headers))
        place = len(self._headers) - 1 if number is None else number
        return _hex(self._headers[place].hash()) if place in numbers else None

    def chain_getFinalizedHead(self) -> str | None:
        return self.chain_getBlockHash(max(len(self._headers) - 2, 0))

    def chain_getHeader(self, hash_: str) -> dict[str, Any] | None:
        if hash_ not in map(self.chain_getBlockHash, range(len(self._headers))):
            return None
        header = self._header(hash_)
        return {"number": hex(header.number), "parentHash": _hex(header.parent_hash)}

    def chain_getBlock(self, hash_: str) -> dict[str, Any]:
        body = self._bodies[self._place(hash_)]
        return {"block": {"extrinsics": [_hex(encode(bytes(each), bytes)) for each in body]}}

    def state_call(self, function: str, arguments: str) -> str:
        return _hex(state_call(function, bytes.fromhex(arguments[2:]), self._states[-1]))

    def state_getMetadata(self) -> str:
        return _hex(decode(bytes, state_call("Metadata_metadata", b"", self._states[-1])))

    def state_getStorage(self, key: str, hash_: str) -> str | None:
        value = self._state(hash_).get_raw(bytes.fromhex(key[2:]))
        return None if value is None else _hex(value)

    def state_getKeysPaged(
        self, prefix: str, count: int, start: str | None, hash_: str
    ) -> list[str]:
        after = None if start is None else bytes.fromhex(start[2:])
        items = self._state(hash_).items_raw(bytes.fromhex(prefix[2:]), after=after)
        return [_hex(key) for key, _ in islice(items, min(count, 3))]

    def state_queryStorageAt(self, keys: list[str], hash_: str) -> list[Any]:
        return [{"changes": [[key, self.state_getStorage(key, hash_)] for key in keys]}]

    def state_getRuntimeVersion(self) -> dict[str, int]:
        return {"specVersion": SPEC_VERSION, "transactionVersion": TRANSACTION_VERSION}

    def system_properties(self) -> dict[str, Any]:
        return dict(PROPERTIES)

    def system_accountNextIndex(self, address: str) -> int:
        account = AccountId(parse_account(address))
        return int(self.chain.runtime.modules.system.nonce(self._states[-1], account))

    def author_submitExtrinsic(self, raw: str) -> str:
        extrinsic = Extrinsic(decode(bytes, bytes.fromhex(raw[2:])))
        self.chain.runtime.validate_transaction(self.chain.state, self.chain.header, extrinsic)
        self.step(extrinsic)
        self.step()
        return "0x" + "00" * 32

    def _place(self, hash_: str) -> int:
        return next(i for i, each in enumerate(self._headers) if _hex(each.hash()) == hash_)

    def _header(self, hash_: str) -> Header:
        return self._headers[self._place(hash_)]

    def _state(self, hash_: str) -> State:
        return self._states[self._place(hash_)]


@contextmanager
def serving(node: Node) -> Iterator[str]:
    """The node's address, as long as it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"jsonrpc": "2.0", "id": question["id"], **node.answer(question)}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
