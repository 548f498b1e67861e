"""What JSON-RPC serves: simple calls over one WebSocket, and 200 clients that follow heads.

The node is a process of its own, on a genesis with one validator; its clients are in this one, over
real sockets. The figures to reach are for one core: so they are the server's calls by its own CPU
seconds, which what else runs on the machine does not take away. Run: ``python -m bench.bench_rpc``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import trio
from tests.rpc.world import serving
from wsproto import ConnectionType, WSConnection
from wsproto.events import Message, Request

from bench.figures import figure
from parahost.rpc.server import RpcOptions

CALLS = 3000
BURST = 64
"""Calls that a client has sent without waiting for an answer."""
ROUNDS = 3
CLIENTS = 200
HEADS = 10
SIMPLE = {
    "system_name": [],
    "chain_getHeader": [],
    "chain_getBlockHash": [0],
    "state_getStorage": ["0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac"],
}


@dataclass
class Served:
    """A node in another process: where it serves, and what it says of itself."""

    port: int
    pipe: Connection

    def cpu_s(self) -> float:
        """What it has taken so far."""
        self.pipe.send("cpu")
        taken: float = self.pipe.recv()
        return taken


@contextmanager
def served() -> Iterator[Served]:
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Served(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        limits_of_calls_are_off()
        async with serving() as world:
            pipe.send(await world.listen(RpcOptions(port=0)))
            while True:
                await trio.to_thread.run_sync(pipe.recv)
                pipe.send(time.process_time())

    trio.run(main)


def limits_of_calls_are_off() -> None:
    """What one connection may call in a second is above what is to be reached; measured is what the
    server can."""
    from parahost.rpc import shared

    vars(shared)["CALLS_PER_S"] = 10**9


class Client:
    """A WebSocket that counts what comes, and reads no more of it than it must."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._waiting: list[str] = []

    async def open(self, port: int) -> None:
        await self._stream.send_all(
            self._protocol.send(Request(host=f"127.0.0.1:{port}", target="/"))
        )
        self._protocol.receive_data(await self._stream.receive_some())
        list(self._protocol.events())

    async def send(self, *questions: dict[str, Any]) -> None:
        frames = [self._protocol.send(Message(data=json.dumps(each))) for each in questions]
        await self._stream.send_all(b"".join(frames))

    async def next(self) -> str:
        """The next message."""
        while not self._waiting:
            self._protocol.receive_data(await self._stream.receive_some())
            self._waiting += [
                str(event.data)
                for event in self._protocol.events()
                if isinstance(event, Message) and event.message_finished
            ]
        return self._waiting.pop(0)


async def _client(port: int) -> Client:
    client = Client(await trio.open_tcp_stream("127.0.0.1", port))
    await client.open(port)
    return client


async def calls(node: Served, method: str, params: list[Any]) -> tuple[float, float]:
    """Calls by the server's CPU second, and by the second of the clock."""
    client = await _client(node.port)
    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    before, start = node.cpu_s(), time.perf_counter()
    for _ in range(CALLS // BURST):
        await client.send(*[question] * BURST)
        for _ in range(BURST):
            assert '"result"' in await client.next()
    count = CALLS // BURST * BURST
    return count / (node.cpu_s() - before), count / (time.perf_counter() - start)


async def heads(node: Served) -> tuple[int, float]:
    """How many heads were missed, by all clients together; and the server's CPU for each that it
    told a client."""
    told: list[list[int]] = [[] for _ in range(CLIENTS)]

    async def follow(client: Client, into: list[int]) -> None:
        question = {"jsonrpc": "2.0", "id": 1, "method": "chain_subscribeNewHeads", "params": []}
        await client.send(question)
        await client.next()
        while len(into) < HEADS:
            header = json.loads(await client.next())["params"]["result"]
            into.append(int(header["number"], 16))

    clients = [await _client(node.port) for _ in range(CLIENTS)]
    before = node.cpu_s()
    async with trio.open_nursery() as nursery:
        for client, into in zip(clients, told, strict=True):
            nursery.start_soon(follow, client, into)
    taken = node.cpu_s() - before
    missed = sum(last - first != 1 for each in told for first, last in pairwise(each))
    return missed, taken / (CLIENTS * HEADS)


def main() -> None:
    with served() as node:
        for method, params in SIMPLE.items():
            found = [trio.run(calls, node, method, params) for _ in range(ROUNDS)]
            by_cpu, by_clock = max(cpu for cpu, _ in found), max(clock for _, clock in found)
            figure(f"{method}: calls by the server's CPU second", by_cpu, "", "2,000")
            figure(f"{method}: calls by the clock's second", by_clock, "")
        missed, each = trio.run(heads, node)
        figure(f"{CLIENTS} clients, {HEADS} heads each: missed", missed, "", "0")
        figure("a head told to a client: the server's CPU", each * 1e6, "us")


if __name__ == "__main__":
    main()
