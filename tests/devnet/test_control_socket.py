"""The control's socket: its owner's alone, strict, and patient with nobody."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from parahost.devnet import control_socket
from parahost.devnet.control_socket import ControlFailed, ControlSocket, NoDevnet, ask
from parahost.devnet.requests import (
    MAX_CONTROL_BYTES,
    ControlAnswer,
    ControlRequest,
    Done,
    NotNow,
    PauseNode,
    TellStatus,
)


async def handle(request: ControlRequest) -> ControlAnswer:
    match request:
        case PauseNode("busy"):
            raise NotNow("busy is busy")
        case PauseNode("bug"):
            raise KeyError("bug")
        case PauseNode(name):
            return Done(name, f"{name} stands still")
    await trio.sleep_forever()
    raise AssertionError


@asynccontextmanager
async def served(root: Path) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(ControlSocket(root, handle).run)
        yield
        nursery.cancel_scope.cancel()


async def asked(root: Path, request: ControlRequest) -> dict[str, Any]:
    with trio.fail_after(20):
        return await trio.to_thread.run_sync(partial(ask, root, request))


async def said(root: Path, data: bytes, *, end: bool = False) -> Any:
    """What the answer is to some bytes."""
    with trio.fail_after(20):
        stream = await trio.open_unix_socket(str(root / "devnet.sock"))
        async with stream:
            await stream.send_all(data)
            if end:
                await stream.send_eof()
            answer = b""
            while more := await stream.receive_some():
                answer += more
    return json.loads(answer)


async def test_who_asks_is_answered(tmp_path: Path) -> None:
    async with served(tmp_path):
        answer = await asked(tmp_path, PauseNode("one"))
        assert answer == {"node": "one", "text": "one stands still"}
        with pytest.raises(ControlFailed, match="busy is busy") as refused:
            await asked(tmp_path, PauseNode("busy"))
        assert refused.value.kind == "not_now"
    assert not (tmp_path / "devnet.sock").exists()


async def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert (tmp_path / "devnet.sock").stat().st_mode & 0o777 == 0o600


async def test_the_socket_of_a_devnet_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "devnet.sock"))
    with pytest.raises(NoDevnet, match="no devnet runs there"):
        ask(tmp_path, PauseNode("one"))
    async with served(tmp_path):
        assert await asked(tmp_path, PauseNode("one"))


@pytest.mark.parametrize("root", ["none", "file"])
def test_where_no_devnet_runs_that_is_told(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / root):
        with pytest.raises(NoDevnet, match="no devnet runs there"):
            ask(place, TellStatus())


async def test_a_base_path_may_be_long(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 30)
    root.mkdir()
    async with served(root):
        assert await asked(root, PauseNode("one"))


@pytest.mark.parametrize(
    ("data", "end"),
    [(b"", True), (b'{"do": "status"', True), (b"x" * (MAX_CONTROL_BYTES + 1), False), (b"\n", 0)],
    ids=["nothing", "cut", "too long", "empty"],
)
async def test_what_is_no_line_is_refused(tmp_path: Path, data: bytes, end: bool) -> None:
    async with served(tmp_path):
        answer = await said(tmp_path, data, end=end)
        assert answer["error"]["kind"] == "bad_request"
        assert await asked(tmp_path, PauseNode("one"))


async def test_a_bug_is_told_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(tmp_path):
        with pytest.raises(ControlFailed, match="KeyError") as raised:
            await asked(tmp_path, PauseNode("bug"))
        assert raised.value.kind == "internal"
        assert "Traceback" in capsys.readouterr().err
        assert await asked(tmp_path, PauseNode("one"))


async def test_who_says_nothing_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "_LINE_S", 0.3)
    async with served(tmp_path):
        async with await trio.open_unix_socket(str(tmp_path / "devnet.sock")) as silent:
            with trio.fail_after(20):
                assert await silent.receive_some() == b""
        assert await asked(tmp_path, PauseNode("one"))


async def test_a_crowd_is_sent_away_and_what_it_asked_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "_MAX_CLIENTS", 2)
    async with served(tmp_path):
        waiting = [await trio.open_unix_socket(str(tmp_path / "devnet.sock")) for _ in range(2)]
        for one in waiting:
            await one.send_all(b'{"do": "status"}\n')
        await trio.testing.wait_all_tasks_blocked(0.05)
        with pytest.raises(ControlFailed, match="2 others are asking"):
            await asked(tmp_path, PauseNode("one"))
        for one in waiting:
            await one.aclose()


async def test_who_leaves_before_the_answer_harms_nobody(tmp_path: Path) -> None:
    async with served(tmp_path):
        stream = await trio.open_unix_socket(str(tmp_path / "devnet.sock"))
        await stream.send_all(b'{"do": "pause", "node": "one"}\n')
        await stream.aclose()
        assert await asked(tmp_path, PauseNode("one"))
