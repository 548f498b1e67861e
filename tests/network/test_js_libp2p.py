"""A second libp2p, which shares no code with ours: js-libp2p, by node.

py-libp2p uses the same noise library as we do, so agreeing with it proves less. Needs node, and
``npm install --no-package-lock`` in ``tests/network/js``; without them these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio

from parahost.network import multistream, yamux
from parahost.network.handshake import decode_hello
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.secure import secure
from parahost.primitives.basic import PeerId
from tests.network.local import GENESIS, network

HOST = Path(__file__).with_name("js")
PATIENCE_S = 60
SIZE = 1_000_000
"""Bytes of the echo: several windows of a stream, many noise messages."""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (HOST / "node_modules").is_dir(),
    reason="js-libp2p is not installed: npm install --no-package-lock in tests/network/js",
)


def node(*arguments: str) -> list[str]:
    return ["node", str(HOST / "peer.js"), *arguments]


async def test_it_dials_us_and_hears_our_hello() -> None:
    alice = network(1)
    async with trio.open_nursery() as nursery:
        await nursery.start(alice.run)
        name = f"/parahost/{GENESIS.hex()}/handshake/1"
        dial = node("dial", alice.listen_addresses[0], name)
        with trio.fail_after(PATIENCE_S):
            done = await trio.run_process(dial, capture_stdout=True)
        hello = decode_hello(bytes.fromhex(done.stdout.decode().strip())[4:])
        assert (hello.genesis, hello.listen) == (GENESIS, tuple(alice.listen_addresses))
        nursery.cancel_scope.cancel()


async def test_we_dial_it_and_a_stream_carries_what_it_should() -> None:
    pipe = partial(trio.run_process, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    async with trio.open_nursery() as nursery:
        host = await nursery.start(pipe, node("listen", "/echo/1"))
        with trio.fail_after(PATIENCE_S):
            line = b""
            while not line.endswith(b"\n"):
                line += await host.stdout.receive_some(1024)
            _, _, _, _, port, _, peer = line.decode().strip().split("/")[0:7]
            stream = await trio.open_tcp_stream("127.0.0.1", int(port))
            channel = await secure(stream, Identity(bytes(32)), PeerId(peer))
            assert channel.peer == peer
            await multistream.propose(channel, yamux.PROTOCOL)
            mux = yamux.Yamux(channel, YamuxLimits(), Holdings(NetworkLimits()))
            nursery.start_soon(mux.run)
            echo = mux.open_stream()
            await multistream.propose(echo, "/echo/1")
            sent = os.urandom(SIZE)
            nursery.start_soon(echo.send, sent)
            assert await echo.receive_exactly(SIZE) == sent
        await host.stdin.aclose()
        nursery.cancel_scope.cancel()
