"""Connections: HTTP and WebSocket on one port, and what a client may not do to the server."""

from __future__ import annotations

import json
from typing import Any

import h11
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from parahost.node.role import Role
from parahost.rpc import limits
from parahost.rpc.access import Access
from parahost.rpc.limits import (
    HEAD_BYTES,
    HEAD_S,
    MAX_CONNECTIONS,
    MAX_REQUEST_BYTES,
    MAX_SUBSCRIPTIONS_OF_CONNECTION,
    MAX_UNSENT_MESSAGES,
    PING_S,
    REQUEST_BYTES_TOGETHER,
    SEND_S,
)
from parahost.rpc.listening import PortTaken
from parahost.rpc.server import RpcOptions
from tests.rpc.world import Client, serving

REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"system_chain"}'
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":"Test"}'
JSON = {"content-type": "application/json"}


class Http:
    """A client over plain HTTP."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._protocol = h11.Connection(h11.CLIENT)

    async def request(
        self, method: str, target: str = "/", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        if self._protocol.our_state is h11.DONE:
            self._protocol.start_next_cycle()
        all_headers = {"host": "localhost:9944", "content-length": str(len(body)), **headers}
        request = h11.Request(method=method, target=target, headers=list(all_headers.items()))
        await self._send(request, h11.Data(data=body), h11.EndOfMessage())
        content = b""
        response = await self._next()
        assert isinstance(response, h11.Response)
        while isinstance(event := await self._next(), h11.Data):
            content += event.data
        found = {name.decode(): value.decode() for name, value in response.headers}
        return response.status_code, found, content

    async def post(self, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return await self.request("POST", body=body, **{**JSON, **headers})

    async def _send(self, *events: Any) -> None:
        data = b"".join(self._protocol.send(event) or b"" for event in events)
        await self._stream.send_all(data)

    async def _next(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._stream.receive_some())
        return event


# HTTP


async def test_a_connection_takes_request_after_request() -> None:
    async with serving(role=Role.FULL) as world:
        client = Http(world.stream())
        for _ in range(3):
            status, headers, body = await client.post(REQUEST)
            assert (status, body) == (200, ANSWER)
            assert headers["content-type"] == "application/json"
        status, _, body = await client.post(b'{"jsonrpc":"2.0","method":"system_chain"}')
        assert (status, body) == (200, b"")
        status, _, body = await client.post(b"{")
        assert json.loads(body)["error"]["code"] == -32700


async def test_a_subscription_needs_a_websocket() -> None:
    async with serving(role=Role.FULL) as world:
        for method in ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads"):
            request = {"jsonrpc": "2.0", "id": 1, "method": method}
            _, _, body = await Http(world.stream()).post(json.dumps(request).encode())
            assert json.loads(body)["error"]["message"] == "Subscriptions need a WebSocket"


async def test_health_is_told_to_monitors() -> None:
    async with serving(role=Role.FULL) as world:
        status, _, body = await Http(world.stream()).request("GET", "/health")
        assert status == 200
        assert json.loads(body) == {"peers": 0, "isSyncing": False, "shouldHavePeers": True}


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/", {}, 405),
        ("PUT", "/", JSON, 405),
        ("POST", "/elsewhere", JSON, 405),
        ("POST", "/", {}, 415),
        ("POST", "/", {"content-type": "text/plain"}, 415),
        ("POST", "/", {**JSON, "host": "evil.example"}, 403),
        ("POST", "/", {**JSON, "origin": "https://evil.example"}, 403),
        ("POST", "/", {**JSON, "content-length": "x"}, 400),
    ],
)
async def test_what_is_no_call_is_refused_by_its_status(
    method: str, target: str, headers: dict[str, str], status: int
) -> None:
    async with serving(role=Role.FULL) as world:
        request = "".join(
            f"{name}: {value}\r\n"
            for name, value in {"host": "localhost", "content-length": "0", **headers}.items()
        )
        stream = world.stream()
        await stream.send_all(f"{method} {target} HTTP/1.1\r\n{request}\r\n".encode())
        answer = await _everything(stream)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def _everything(stream: trio.abc.Stream) -> bytes:
    answer = b""
    while piece := await stream.receive_some():
        answer += piece
    return answer


async def test_a_page_of_an_origin_that_may_call_is_told_so() -> None:
    async with serving(role=Role.FULL) as world:
        for origin in ("https://polkadot.js.org", "http://localhost:3000"):
            client = Http(world.stream())
            status, headers, _ = await client.request("OPTIONS", origin=origin)
            assert (status, headers["access-control-allow-origin"]) == (204, origin)
            status, headers, body = await client.post(REQUEST, origin=origin)
            assert (status, headers["access-control-allow-origin"]) == (200, origin)
            assert body == ANSWER


@pytest.mark.parametrize(
    ("external", "host", "known"),
    [
        (False, "localhost:9944", True),
        (False, "127.0.0.1", True),
        (False, "[::1]:9944", True),
        (False, "localhost.evil.example", False),
        (False, "evil.example", False),
        (False, "[", False),
        (False, "", False),
        (False, None, False),
        (True, "node.example:9944", True),
    ],
)
def test_a_server_for_this_machine_has_this_machines_names(
    external: bool, host: str | None, known: bool
) -> None:
    assert Access(external).host_is_known(host) is known


@pytest.mark.parametrize(
    ("origins", "origin", "may"),
    [
        ((), None, True),
        ((), "http://localhost:8000", True),
        ((), "https://localhost.evil.example", False),
        ((), "null", False),
        ((), "file://localhost", False),
        ((), "http://[", False),
        (("https://a.example",), "https://a.example", True),
        (("https://a.example",), "https://b.example", False),
        (("*",), "https://b.example", True),
    ],
)
def test_pages_may_call_from_here_and_from_where_it_is_allowed(
    origins: tuple[str, ...], origin: str | None, may: bool
) -> None:
    assert Access(origins=origins).origin_may_call(origin) is may


async def test_who_does_not_say_what_it_wants_is_sent_away(autojump_clock: MockClock) -> None:
    async with serving(role=Role.FULL) as world:
        for beginning in (b"", b"POST / HTT", b"POST / HTTP/1.1\r\nhost: localhost\r\n"):
            stream = world.stream()
            if beginning:
                await stream.send_all(beginning)
            begun = trio.current_time()
            assert await _everything(stream) == b""
            assert trio.current_time() - begun == HEAD_S


async def test_a_head_without_end_is_not_kept() -> None:
    async with serving(role=Role.FULL) as world:
        stream = world.stream()
        await stream.send_all(b"GET / HTTP/1.1\r\nx: " + b"a" * 2 * HEAD_BYTES)
        assert (await _everything(stream)).startswith(b"HTTP/1.1 431 ")


async def test_a_body_has_a_limit() -> None:
    async with serving(role=Role.FULL) as world:
        largest = REQUEST.ljust(MAX_REQUEST_BYTES)
        assert (await Http(world.stream()).post(largest))[2] == ANSWER
        status, _, body = await Http(world.stream()).post(largest + b" ")
        assert (status, json.loads(body)["error"]["code"]) == (413, -32007)
        assert world.server.shared.requests.left == REQUEST_BYTES_TOGETHER


# WebSockets


async def test_a_message_has_a_limit() -> None:
    async with serving(role=Role.FULL) as world:
        async with world.client() as client:
            text = REQUEST.decode().ljust(MAX_REQUEST_BYTES)
            assert (await client.ask(text))["result"] == "Test"
            assert (await client.ask(text + " "))["error"]["code"] == -32007
            with pytest.raises(trio.EndOfChannel):
                await client.answer()
            assert client.closed is not None and client.closed.code == 1009
        assert world.server.shared.requests.left == REQUEST_BYTES_TOGETHER


async def test_large_messages_of_all_share_what_there_is() -> None:
    async with serving(role=Role.FULL) as world:
        world.server.shared.requests.left = 1_000_000
        async with world.client() as one, world.client() as other:
            await one.begin_message("a" * 900_000)
            await trio.testing.wait_all_tasks_blocked()
            answer = await other.ask(" " * 200_000)
            assert answer["error"] == {"code": -32009, "message": "Server is busy, try again later"}
            with pytest.raises(trio.EndOfChannel):
                await other.answer()
            assert other.closed is not None and other.closed.code == 1013
        async with world.client() as third:
            assert (await third.ask(" " * 200_000))["error"]["code"] == -32700
        assert world.server.shared.requests.left == 1_000_000


async def test_a_large_answer_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        world.server.shared.answers.left = 10_000
        answer = await client.ask('{"jsonrpc":"2.0","id":1,"method":"state_getMetadata"}')
        assert answer["error"]["code"] == -32009
        assert world.server.shared.answers.left == 10_000
        assert await client.call("system_chain") == "Test"


async def test_an_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parahost.rpc.service.MAX_ANSWER_BYTES", 1000)
    async with serving(role=Role.FULL) as world, world.client() as client:
        assert (await client.refused("state_getMetadata"))["code"] == -32008
        batch = json.dumps([json.loads(REQUEST)] * 100)
        answer = await client.ask(batch)
        assert (answer["id"], answer["error"]["code"]) == (None, -32008)
        assert await client.call("system_chain") == "Test"


async def test_a_connection_has_so_many_subscriptions(autojump_clock: MockClock) -> None:
    async with serving(role=Role.FULL) as world:
        async with world.client() as client:
            ids = set()
            for _ in range(MAX_SUBSCRIPTIONS_OF_CONNECTION):
                ids.add(await client.call("state_subscribeRuntimeVersion"))
            assert len(ids) == MAX_SUBSCRIPTIONS_OF_CONNECTION
            error = await client.refused("state_subscribeRuntimeVersion")
            assert error["code"] == -32006
            assert await client.call("state_unsubscribeRuntimeVersion", ids.pop()) is True
            await client.call("state_subscribeRuntimeVersion")
            assert world.server.shared.subscriptions.taken == MAX_SUBSCRIPTIONS_OF_CONNECTION
        await trio.sleep(1)
        assert world.server.shared.subscriptions.taken == 0


async def test_all_connections_have_so_many_subscriptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parahost.rpc.session.MAX_SUBSCRIPTIONS", 2)
    async with serving(role=Role.FULL) as world, world.client() as one, world.client() as other:
        await one.call("state_subscribeRuntimeVersion")
        await other.call("state_subscribeRuntimeVersion")
        assert (await one.refused("state_subscribeRuntimeVersion"))["code"] == -32006


async def test_who_does_not_read_is_sent_away(autojump_clock: MockClock) -> None:
    async with serving() as world:
        stream, served = world.narrow_stream()
        client = Client(stream)
        await client.open()
        for _ in range(20):
            await client.call("chain_subscribeNewHeads")
        await trio.sleep(3 * SEND_S)
        assert served.is_set(), "the connection has ended"
        assert world.server.shared.subscriptions.taken == 0
        async with world.client() as other:
            assert await other.call("system_chain") == "Test"


async def test_who_has_missed_a_head_is_sent_away_and_not_told_the_next(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parahost.rpc.feed.MAX_UNTOLD_EVENTS", 3)
    async with serving() as world:
        stream, ended = world.narrow_stream()
        client = Client(stream)
        await client.open()
        heads: dict[str, list[int]] = {}
        for _ in range(2 * MAX_UNSENT_MESSAGES):
            heads[await client.call("chain_subscribeNewHeads")] = []
        await trio.sleep(SEND_S / 2)
        with trio.fail_after(2 * SEND_S), pytest.raises(trio.EndOfChannel):
            while True:
                note = (await client.note())["params"]
                heads[note["subscription"]].append(int(note["result"]["number"], 16))
        await ended.wait()
        assert sum(map(len, heads.values())) > 2 * MAX_UNSENT_MESSAGES
        for told in heads.values():
            assert told == list(range(told[0], told[0] + len(told)))


async def test_who_is_silent_is_pinged_and_who_is_gone_is_let_go(
    autojump_clock: MockClock,
) -> None:
    async with serving(role=Role.FULL) as world:
        async with world.client() as client:
            with trio.move_on_after(10 * PING_S):
                await client.note()
            assert client.pings in (9, 10)
            assert await client.call("system_chain") == "Test", "it answered its pings"
        stream, served = world.narrow_stream()
        await Client(stream).open()
        await trio.sleep(2 * PING_S + 1)
        assert served.is_set()


async def test_a_broken_frame_ends_its_connection_alone() -> None:
    async with (
        serving(role=Role.FULL) as world,
        world.client() as client,
        world.client() as other,
    ):
        await client.stream.send_all(b"\xff" * 100)
        with pytest.raises(trio.EndOfChannel):
            await client.note()
        assert await other.call("system_chain") == "Test"


async def test_a_client_calls_so_often_and_then_waits(autojump_clock: MockClock) -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        batch = json.dumps([json.loads(REQUEST)] * limits.MAX_BATCHED_CALLS)
        count = 2 * limits.CALLS_PER_S // limits.MAX_BATCHED_CALLS
        begun = trio.current_time()
        for _ in range(count + 1):
            await client.ask(batch)
        assert trio.current_time() - begun == pytest.approx(1.0, abs=0.1)


async def test_connections_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parahost.rpc.server.MAX_CONNECTIONS", 2)
    assert MAX_CONNECTIONS >= 200
    async with serving(role=Role.FULL) as world:
        async with world.client() as one, world.client() as other:
            assert (await Http(world.stream()).post(REQUEST))[0] == 503
            assert await one.call("system_chain") == await other.call("system_chain")
        await trio.testing.wait_all_tasks_blocked()
        assert (await Http(world.stream()).post(REQUEST))[0] == 200


async def test_it_listens_on_this_machine_and_says_when_it_cannot() -> None:
    async with serving(role=Role.FULL) as world:
        port = await world.listen(RpcOptions(port=0))
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        assert (await Http(stream).post(REQUEST))[2] == ANSWER
        with pytest.raises(PortTaken) as error:
            await world.listen(RpcOptions(port=port))
        assert error.value.port == port
