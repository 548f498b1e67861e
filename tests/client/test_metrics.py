"""Reading a node's metrics from its port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from parahost.client.errors import Unreachable
from parahost.client.metrics import METRICS_PATIENCE_S, read_metrics
from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter
from parahost.metrics.samples import Samples
from parahost.process.prometheus import MetricsServer, PrometheusOptions

ASKED = Counter("parahost_asked_total", "Questions.", ("by",))


async def read(url: str, patience_s: float = METRICS_PATIENCE_S) -> Samples:
    return await trio.to_thread.run_sync(partial(read_metrics, url, patience_s=patience_s))


async def test_all_that_a_node_tells_is_read() -> None:
    meter = NodeMeter(ASKED)
    meter.count(ASKED, "somebody", by=3)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(MetricsServer(meter, PrometheusOptions(0)).run)
        assert await read(f"http://127.0.0.1:{port}/metrics") == meter.samples()
        with pytest.raises(Unreachable, match="answers with status 404"):
            await read(f"http://127.0.0.1:{port}/elsewhere")
        nursery.cancel_scope.cancel()
    with pytest.raises(Unreachable, match="cannot be read: Connection refused"):
        await read(f"http://127.0.0.1:{port}/metrics")


async def refusal(
    answer: Callable[[trio.SocketStream], Awaitable[None]],
    patience_s: float = METRICS_PATIENCE_S,
) -> str:
    """Why nothing can be read from who answers so."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await answer(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(Unreachable) as why:
            await read(f"http://127.0.0.1:{port}/metrics", patience_s)
        nursery.cancel_scope.cancel()
    return str(why.value)


@pytest.mark.parametrize(
    "words", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno metric"]
)
async def test_who_tells_something_else_is_named(words: bytes) -> None:
    assert "tells something else than metrics" in await refusal(lambda it: it.send_all(words))


async def test_who_says_nothing_is_not_waited_for() -> None:
    assert "cannot be read: timed out" in await refusal(lambda _: trio.sleep_forever(), 0.2)
