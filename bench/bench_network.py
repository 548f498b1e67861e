"""How fast two processes talk over libp2p on loopback, and what a node's network costs.

Run: ``python -m bench.bench_network``. It starts a second process that answers.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import trio

from bench.figures import figure
from parahost.network.libp2p_network import Libp2pNetwork
from parahost.network.limits import NetworkLimits
from parahost.ports.network import (
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    RequestProtocol,
)
from parahost.primitives.basic import H256, PeerId

POV = RequestProtocol("pov", max_request=64, max_response=12 * 1024 * 1024, timeout_s=20.0)
GOSSIP = NotificationProtocol("gossip", 1024 * 1024)
ECHO = NotificationProtocol("echo", 1024 * 1024)
POV_SIZE = 5 * 1024 * 1024
GOSSIP_SIZE = 1024
GOSSIP_COUNT = 20_000
PINGS = 300
LIMITS = NetworkLimits(
    queue_messages=2 * GOSSIP_COUNT,
    messages_per_s=1e9,
    messages_burst=1e9,
    bytes_per_s=1e12,
    bytes_burst=1e12,
)


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class SystemRandom:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def below(self, bound: int) -> int:
        return int.from_bytes(os.urandom(8), "little") % bound


class Silence:
    def record(self, event: str, **fields: object) -> None:
        pass


def network(number: int, bootnodes: list[str]) -> Libp2pNetwork:
    return Libp2pNetwork(
        bytes((number,)) * 32,
        listen=["/ip4/127.0.0.1/tcp/0"],
        genesis=H256(bytes(32)),
        role=ObservedRole.AUTHORITY,
        bootnodes=bootnodes,
        clock=SystemClock(),
        random=SystemRandom(),
        journal=Silence(),
        limits=LIMITS,
    )


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def answerer(bootnode: str) -> None:
    """Answers requests, echoes, and after every ``GOSSIP_COUNT`` notifications reports its CPU."""
    one = network(2, [bootnode])
    pov = os.urandom(POV_SIZE)
    heard = 0
    cpu = time.process_time()

    async def on_gossip(event: NetworkEvent) -> None:
        nonlocal heard, cpu
        if isinstance(event, Notification):
            if heard == 0:
                cpu = time.process_time()
            heard += 1
            if heard == GOSSIP_COUNT:
                spent = time.process_time() - cpu
                one.notify([event.peer], ECHO.name, json.dumps(spent).encode())

    async def on_echo(event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            one.notify([event.peer], ECHO.name, event.payload)

    async def on_request(peer: PeerId, payload: bytes) -> bytes:
        return pov

    one.on_notification(GOSSIP, on_gossip)
    one.on_notification(ECHO, on_echo)
    one.on_request(POV, on_request)
    await one.run()


async def main() -> None:
    one = network(1, [])
    send_echo, receive_echo = trio.open_memory_channel[bytes](1)

    async def on_echo(event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            await send_echo.send(event.payload)

    async def ignore(event: NetworkEvent) -> None:
        pass

    one.on_notification(ECHO, on_echo)
    one.on_notification(GOSSIP, ignore)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.run)
        figure("memory of a process that only listens", rss_mb(), "MB")
        nursery.start_soon(
            trio.run_process,
            [sys.executable, "-m", "bench.bench_network", "answer", one.listen_addresses[0]],
        )
        while not one.connected():
            await trio.sleep(0.01)
        (peer,) = one.connected()

        latencies = []
        for _ in range(12):
            begun = time.perf_counter()
            assert len(await one.request(peer, POV, b"")) == POV_SIZE
            latencies.append((time.perf_counter() - begun) * 1e3)
        figure("a request answered with 5 MiB, median", statistics.median(latencies), "ms")

        trips = []
        for _ in range(PINGS):
            begun = time.perf_counter()
            one.notify([peer], ECHO.name, bytes(GOSSIP_SIZE))
            await receive_echo.receive()
            trips.append((time.perf_counter() - begun) * 1e3)
        figure("a 1 KiB notification and its echo, median", statistics.median(trips), "ms")
        figure("  99 of 100 within", statistics.quantiles(trips, n=100)[98], "ms")

        cpu, begun = time.process_time(), time.perf_counter()
        for number in range(GOSSIP_COUNT):
            one.notify([peer], GOSSIP.name, bytes(GOSSIP_SIZE))
            if number % 1000 == 999:
                await trio.sleep(0.005)
        theirs = json.loads(await receive_echo.receive())
        elapsed = time.perf_counter() - begun
        ours = time.process_time() - cpu
        figure("1 KiB notifications one way", GOSSIP_COUNT / elapsed, "per s")
        figure("  CPU to send one", ours / GOSSIP_COUNT * 1e6, "us")
        figure("  CPU to receive one", theirs / GOSSIP_COUNT * 1e6, "us")
        figure("memory after all that", rss_mb(), "MB")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    if sys.argv[1:2] == ["answer"]:
        trio.run(answerer, sys.argv[2])
    else:
        trio.run(main)
