"""The port of a node's metrics, and what a client may not do to it."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MemorySendStream, MockClock, memory_stream_pair

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter, Gauge
from parahost.metrics.text import read_exposition
from parahost.process.prometheus import (
    ASKING_S,
    KEPT_S,
    MAX_ASKING_BYTES,
    MAX_SCRAPERS,
    TELLING_S,
    MetricsServer,
    PrometheusOptions,
)
from parahost.rpc.listening import PortTaken

ASKED = Counter("parahost_asked_total", "Questions.")
WIDE = Gauge("parahost_wide", "Large.", ("of",))
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost:9615\r\n\r\n"


def server(meter: NodeMeter | None = None, *, external: bool = False) -> MetricsServer:
    return MetricsServer(meter or NodeMeter(ASKED), PrometheusOptions(0, external))


async def ask(served: MetricsServer, request: bytes = GET) -> bytes:
    """All that is answered until the connection's end."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(served.serve, theirs)
        await ours.send_all(request)
        return b"".join([part async for part in ours])


async def test_who_asks_is_told_the_numbers_of_now() -> None:
    meter = NodeMeter(ASKED)
    meter.count(ASKED, by=3)
    head, _, body = (await ask(server(meter))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/plain; version=0.0.4" in head
    assert read_exposition(body.decode()) == meter.samples()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9615\r\n\r\n", 200),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\ncontent-length: 0\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 403),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"y" * MAX_ASKING_BYTES, 431),
    ],
)
async def test_each_request_has_its_status(request_: bytes, status: int) -> None:
    assert (await ask(server(), request_)).startswith(f"HTTP/1.1 {status} ".encode())


async def test_another_machine_may_call_it_by_any_name_if_it_is_let_in() -> None:
    request = b"GET /metrics HTTP/1.1\r\nHost: node.example\r\n\r\n"
    assert (await ask(server(external=True), request)).startswith(b"HTTP/1.1 200 ")


async def test_who_asks_nothing_is_left(autojump_clock: MockClock) -> None:
    begun = trio.current_time()
    assert await ask(server(), b"GET /metrics HTT") == b""
    assert trio.current_time() - begun == ASKING_S


async def test_a_slow_reader_is_left_and_holds_nobody(autojump_clock: MockClock) -> None:
    meter = NodeMeter(WIDE)
    meter.read_from(lambda: [WIDE.of(1, "x" * 1000)])
    served = server(meter)
    stuck, theirs = memory_stream_pair()
    assert isinstance(theirs.send_stream, MemorySendStream)
    theirs.send_stream.send_all_hook = trio.sleep_forever
    async with trio.open_nursery() as nursery:
        nursery.start_soon(served.serve, theirs)
        await stuck.send_all(GET)
        assert (await ask(served)).startswith(b"HTTP/1.1 200 ")
    assert trio.current_time() == pytest.approx(TELLING_S, abs=ASKING_S)


async def test_there_are_never_more_connections_than_allowed(autojump_clock: MockClock) -> None:
    served = server()
    async with trio.open_nursery() as nursery:
        for _ in range(MAX_SCRAPERS):
            nursery.start_soon(served.serve, memory_stream_pair()[1])
        await trio.testing.wait_all_tasks_blocked()
        assert (await ask(served)).startswith(b"HTTP/1.1 503 ")
        await trio.sleep(ASKING_S + 1)
        assert (await ask(served)).startswith(b"HTTP/1.1 200 ")


async def test_the_text_is_made_once_for_all_who_ask_at_a_time(autojump_clock: MockClock) -> None:
    looks: list[float] = []
    meter = NodeMeter(ASKED)
    meter.read_from(lambda: looks.append(trio.current_time()) or ())  # type: ignore[func-returns-value]
    served = server(meter)
    for _ in range(5):
        await ask(served)
    assert len(looks) == 1
    await trio.sleep(KEPT_S)
    await ask(served)
    assert len(looks) == 2


async def test_a_bug_in_a_reading_ends_the_scrape_and_nothing_else() -> None:
    meter = NodeMeter(ASKED)
    broken = [True]

    def source() -> tuple[()]:
        if broken:
            raise RuntimeError("a bug")
        return ()

    meter.read_from(source)
    served = server(meter)
    assert await ask(served) == b""
    broken.clear()
    assert (await ask(served)).startswith(b"HTTP/1.1 200 ")


async def test_it_listens_on_this_machine_and_says_when_it_cannot() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server().run)
        url = f"http://127.0.0.1:{port}/metrics"
        text = await trio.to_thread.run_sync(lambda: urllib.request.urlopen(url).read().decode())
        (family,) = text_string_to_metric_families(text)
        assert (family.name, family.type) == ("parahost_asked", "counter")
        with pytest.raises(PortTaken, match="choose another --prometheus-port") as error:
            await MetricsServer(NodeMeter(), PrometheusOptions(port)).run()
        assert error.value.port == port
        nursery.cancel_scope.cancel()
