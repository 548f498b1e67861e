"""The socket over which a running devnet is told what to do: its owner's alone.

A client sends a line and gets a line (:mod:`parahost.devnet.requests`). The socket lies on the base
path with mode 0600, so that who may not write there may not connect either.
"""

from __future__ import annotations

import json
import os
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from parahost.devnet.base_path import SOCKET_FILE
from parahost.devnet.requests import (
    MAX_CONTROL_BYTES,
    BadRequest,
    ControlAnswer,
    ControlBug,
    ControlRequest,
    NotNow,
    RequestRefused,
    read_request,
    write_answer,
    write_request,
)
from parahost.primitives.errors import OperationalError

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_MAX_CLIENTS: Final = 16
_LINE_S: Final = 10.0
"""So long may a client take to send its line, or to read its answer."""
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024

_Handle = Callable[[ControlRequest], Awaitable[ControlAnswer]]


class NoDevnet(OperationalError):
    """No devnet can be told anything on that base path."""


class ControlFailed(OperationalError):
    """The devnet has refused; ``kind`` says how, as in its answer."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@contextmanager
def _address(root: Path) -> Iterator[str]:
    """The socket's, by way of its folder: paths of sockets have 107 bytes at most."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_FILE}"
    finally:
        os.close(folder)


# The devnet's side


class ControlSocket:
    """Serves requests on a base path that is taken."""

    def __init__(self, root: Path, handle: _Handle) -> None:
        """:param handle: does what is asked; raises :class:`RequestRefused` when it cannot."""
        self._root = root
        self._handle = handle
        self._clients = 0

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled.

        :raises OSError: when the socket cannot be made.
        """
        listener = _listen(self._root)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._serve, [listener])
                task_status.started()
        finally:
            (self._root / SOCKET_FILE).unlink(missing_ok=True)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        is_one_too_many = self._clients > _MAX_CLIENTS
        try:
            with suppress(trio.BrokenResourceError, trio.TooSlowError):
                answer = await self._answer(stream, is_one_too_many)
                with trio.fail_after(_LINE_S):
                    await stream.send_all(write_answer(answer))
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)

    async def _answer(
        self, stream: trio.SocketStream, is_one_too_many: bool
    ) -> ControlAnswer | RequestRefused:
        try:
            with trio.fail_after(_LINE_S):
                line = await _line(stream)
            if is_one_too_many:
                raise NotNow(f"{_MAX_CLIENTS} others are asking; try again later")
            return await self._handle(read_request(line))
        except RequestRefused as refusal:
            return refusal
        except (trio.BrokenResourceError, trio.TooSlowError):
            raise
        except Exception as bug:  # the network goes on; who asked is told, and the traceback shown
            traceback.print_exc()
            return ControlBug(repr(bug))


async def _line(stream: trio.SocketStream) -> bytes:
    data = b""
    while b"\n" not in data:
        more = await stream.receive_some(4096)
        data += more
        if not more or len(data) > MAX_CONTROL_BYTES:
            raise BadRequest(f"a line of at most {MAX_CONTROL_BYTES} bytes is expected")
    return data.partition(b"\n")[0]


def _listen(root: Path) -> trio.SocketListener:
    """Nobody can connect before its mode is set: it does not listen yet."""
    (root / SOCKET_FILE).unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(root) as address:
            made.bind(address)
            os.chmod(address, 0o600)
        made.listen(_MAX_CLIENTS)
    except BaseException:
        made.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(made))


# The client's side


def ask(root: Path, request: ControlRequest) -> dict[str, Any]:
    """What the devnet on that base path answers; waits as long as it takes.

    :raises NoDevnet: when none runs there.
    :raises ControlFailed: when it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        try:
            with _address(root) as address:
                stream.connect(address)
            with suppress(BrokenPipeError):  # it has its answer already
                stream.sendall(write_request(request))
            answer = _received(stream)
        except PermissionError:
            raise NoDevnet(f"{root}: its devnet is another user's") from None
        except OSError as error:
            why = "no devnet runs there" if error.errno is not None else str(error)
            raise NoDevnet(f"{root}: {why}") from error
    if error_form := answer.get("error"):
        raise ControlFailed(str(error_form["kind"]), str(error_form["message"]))
    found: dict[str, Any] = answer["ok"]
    return found


def _received(stream: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n") and len(data) < _MAX_ANSWER_BYTES:
        more = stream.recv(65536)
        if not more:
            break
        data += more
    try:
        found = json.loads(data)
    except ValueError:
        raise NoDevnet("the devnet ended before it answered") from None
    if not isinstance(found, dict):
        raise NoDevnet("the devnet answers what is no answer")
    return found
