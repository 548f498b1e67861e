"""A node that makes its own chain in virtual time, and clients that talk to its server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Request,
    TextMessage,
)

from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.node import Node, Ports
from parahost.node.role import Role
from parahost.ports import KeyType
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.header import Block
from parahost.rpc.served import ServedNode
from parahost.rpc.server import RpcOptions, RpcServer
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.development import (
    endowments,
    local_validator,
    session_uris,
    stakes,
    sudo_account,
)
from parahost.runtime.genesis import GenesisConfig
from parahost.simulation.clock import NodeClock
from parahost.simulation.executor import InlineExecutor
from parahost.storage.memory import MemoryDatabase
from parahost.validation.inprocess import InProcessHost
from tests.memory_network import MemoryNetwork, identity_of
from tests.node.harness import ListJournal, SeededRandom
from tests.verifying import VERIFIER

NAME = "validator-1"
SLOT_S = 1.0
_VALIDATORS = (local_validator(NAME),)
GENESIS = GenesisConfig(
    validators=_VALIDATORS,
    sudo=sudo_account(),
    balances=endowments(_VALIDATORS, []),
    stakes=stakes(_VALIDATORS),
    slot_duration_ms=round(SLOT_S * 1000),
    epoch_length=100,
)
STATE = GENESIS.build()
SESSION_KEYS = session_uris(NAME)
SPEC = ChainSpec.of("Test", "test", STATE)


@dataclass
class World:
    """One node, and its server."""

    node: Node
    served: ServedNode
    server: RpcServer
    nursery: trio.Nursery

    def stream(self) -> trio.abc.Stream:
        """A new connection to the server, as yet without a word."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.server.serve, theirs)
        return ours

    def narrow_stream(self) -> tuple[trio.abc.Stream, trio.Event]:
        """A connection that holds nothing which its client has not read; and what tells that the
        server has ended it."""
        ours, theirs = trio.testing.lockstep_stream_pair()
        ended = trio.Event()

        async def serve() -> None:
            await self.server.serve(theirs)
            ended.set()

        self.nursery.start_soon(serve)
        return ours, ended

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A WebSocket to the server."""
        async with self.stream() as stream:
            client = Client(stream)
            await client.open()
            yield client

    async def listen(self, options: RpcOptions) -> int:
        """Serve on a real port as well, which this gives."""
        server = RpcServer(self.served, options, self.node.ports.clock)
        port: int = await self.nursery.start(server.run)
        return port

    async def take_chain(self, of: World, upto: int | None = None) -> None:
        """Import another node's blocks, the first ones or all, as if they had come from it."""
        theirs = of.node.chain
        for number in range(1, (theirs.best.number if upto is None else upto) + 1):
            block = theirs.hash_of(BlockNumber(U32(number)))
            assert block is not None
            header, body = theirs.header(block), theirs.body(block)
            assert header is not None
            assert body is not None
            await self.node.importer.import_block(Block(header, body))

    async def blocks(self, count: int) -> None:
        """Wait until the best chain is that much longer."""
        target = self.node.chain.best.number + count
        while self.node.chain.best.number < target:
            await trio.sleep(SLOT_S / 4)


@dataclass
class Client:
    """The other end of a WebSocket: an independent reader of what the server says."""

    stream: trio.abc.Stream
    notes: list[dict[str, Any]] = field(default_factory=list)
    closed: CloseConnection | None = None
    pings: int = 0
    _answers: list[Any] = field(default_factory=list)
    _protocol: WSConnection = field(default_factory=lambda: WSConnection(ConnectionType.CLIENT))
    _text: str = ""
    _ids: int = 0

    async def open(self, **headers: str) -> None:
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = Request(host="localhost", target="/", extra_headers=extra)
        await self.stream.send_all(self._protocol.send(request))
        self._accepted = False
        while not self._accepted:
            await self._receive()

    async def begin_message(self, text: str) -> None:
        """The first part of a message that does not go on."""
        part = TextMessage(text, message_finished=False)
        await self.stream.send_all(self._protocol.send(part))

    async def send(self, text: str) -> None:
        await self.stream.send_all(self._protocol.send(TextMessage(text)))

    async def ask(self, text: str) -> Any:
        """The answer to that message, whatever it is."""
        await self.send(text)
        return await self.answer()

    async def send_bytes(self, message: bytes) -> None:
        """As a binary message."""
        await self.stream.send_all(self._protocol.send(BytesMessage(message)))

    async def answer(self) -> Any:
        while not self._answers:
            await self._receive()
        return self._answers.pop(0)

    async def raw_call(self, method: str, *params: Any) -> dict[str, Any]:
        """The whole answer."""
        self._ids += 1
        request = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": list(params)}
        answer = await self.ask(json.dumps(request))
        assert isinstance(answer, dict)
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", self._ids)
        return answer

    async def batch(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to all of them."""
        answers = await self.ask(json.dumps(requests))
        assert isinstance(answers, list)
        return answers

    async def call(self, method: str, *params: Any) -> Any:
        """The result."""
        answer = await self.raw_call(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def refused(self, method: str, *params: Any) -> dict[str, Any]:
        """The error."""
        answer = await self.raw_call(method, *params)
        assert "result" not in answer, answer
        error: dict[str, Any] = answer["error"]
        return error

    async def note(self) -> dict[str, Any]:
        """The next notification."""
        while not self.notes:
            await self._receive()
        return self.notes.pop(0)

    async def told(self, subscription: str) -> Any:
        """What the next notification tells, which is of that subscription."""
        note = await self.note()
        assert note["params"]["subscription"] == subscription
        return note["params"]["result"]

    async def _receive(self) -> None:
        if self.closed is not None:
            raise trio.EndOfChannel
        data = await self.stream.receive_some()
        if not data:
            raise trio.EndOfChannel
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            match event:
                case AcceptConnection():
                    self._accepted = True
                case TextMessage(data=text, message_finished=is_whole):
                    self._text += text
                    if is_whole:
                        self._take(json.loads(self._text))
                        self._text = ""
                case Ping():
                    self.pings += 1
                    await self.stream.send_all(self._protocol.send(event.response()))
                case CloseConnection():
                    self.closed = event

    def _take(self, message: Any) -> None:
        if isinstance(message, dict) and "method" in message:
            self.notes.append(message)
        else:
            self._answers.append(message)


@asynccontextmanager
async def serving(
    options: RpcOptions = RpcOptions(),
    *,
    role: Role = Role.VALIDATOR,
    keys: Mapping[KeyType, str] = SESSION_KEYS,
) -> AsyncIterator[World]:
    """A validator that is at work alone, and finalises what it makes; or, of another role, a node
    that stays at the genesis block. ``keys``: secret URIs."""
    net = MemoryNetwork()
    port = net.port(NAME, identity=identity_of(NAME))
    database = MemoryDatabase()
    ring = KeyRing.of(keys.items())
    ports = Ports(
        NodeClock(),
        SeededRandom(),
        ListJournal(),
        database,
        ProtectedKeyStore(ring, database),
        port,
        port,
        VERIFIER,
        InProcessHost(),
        InlineExecutor(),
    )
    node = Node(STATE, role, ports)
    served = ServedNode(node, SPEC, InlineExecutor())
    server = RpcServer(served, options, ports.clock)
    async with net.running(), trio.open_nursery() as nursery:
        await nursery.start(node.run)
        yield World(node, served, server, nursery)
        nursery.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    while not holds():
        await trio.sleep(0.01)
