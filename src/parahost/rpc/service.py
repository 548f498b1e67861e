"""Requests in, answers out: JSON-RPC 2.0, whatever brings it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NoReturn

import trio

from parahost.rpc.errors import (
    AnswerTooLarge,
    BatchTooLarge,
    InternalError,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    NeedsWebSocket,
    ParseError,
    RpcError,
    TooManyValues,
    UnsafeMethod,
)
from parahost.rpc.limits import CALLS_PER_TURN, MAX_ANSWER_BYTES, MAX_BATCHED_CALLS, MAX_VALUES
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.session import ClientSession, RpcCaller
from parahost.rpc.table import MethodTable
from parahost.rpc.values import Json

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    """``answered``: it has an id. One without is a notification, which is done, and not
    answered."""

    id: str | int | float | None
    answered: bool
    name: str
    params: Json


class Service:
    """Answers requests about one node."""

    def __init__(self, table: MethodTable, served: ServedNode, *, allow_unsafe: bool) -> None:
        self._table = table
        self._served = served
        self._allow_unsafe = allow_unsafe
        self._turns = trio.CapacityLimiter(CALLS_PER_TURN)

    async def answer(self, message: bytes, caller: RpcCaller) -> str | None:
        """The answer to a message, which may be a batch of requests; ``None`` when there is
        nothing to say. What it subscribes to begins with ``session.begin``."""
        try:
            parsed = _parse(message)
            if isinstance(parsed, list):
                return await self._batch(parsed, caller)
        except RpcError as error:
            if caller.session is not None:
                caller.session.withdraw()
            return failure(None, error)
        return await self._one(parsed, caller)

    async def _batch(self, requests: list[Json], caller: RpcCaller) -> str | None:
        if not requests:
            raise InvalidRequest
        if len(requests) > MAX_BATCHED_CALLS:
            raise BatchTooLarge(MAX_BATCHED_CALLS)
        answers, room = [], MAX_ANSWER_BYTES
        for request in requests:
            answer = await self._one(request, caller)
            if answer is not None:
                answers.append(answer)
                room -= len(answer) + 1
            if room < 0:
                raise AnswerTooLarge(MAX_ANSWER_BYTES)
        return f"[{','.join(answers)}]" if answers else None

    async def _one(self, parsed: Json, caller: RpcCaller) -> str | None:
        caller.calls += 1
        try:
            request = _read(parsed)
        except RpcError as error:
            return failure(None, error)
        try:
            answer = _success(request.id, await self._result(request, caller))
            if len(answer) > MAX_ANSWER_BYTES:
                raise AnswerTooLarge(MAX_ANSWER_BYTES)
        except RpcError as error:
            answer = failure(request.id, error)
        except Exception:
            _log.exception("the method %s failed", request.name)
            answer = failure(request.id, InternalError())
        return answer if request.answered else None

    async def _result(self, request: _Request, caller: RpcCaller) -> Json:
        async with self._turns:  # The rest of the node has its turn before.
            result = self._call(request, caller)
        return await result if isinstance(result, Awaitable) else result

    def _call(self, request: _Request, caller: RpcCaller) -> Json | Awaitable[Json]:
        if (ended := self._table.ended_by(request.name)) is not None:
            found = _end_subscription(request, caller.session)
            return None if ended.ends_quietly else found
        method = self._table.get(request.name)
        if method is None:
            raise MethodNotFound(request.name)
        if method.unsafe and not self._allow_unsafe:
            raise UnsafeMethod
        caller.calls += method.calls - 1
        arguments = method.parameters.read(request.params)
        context = CallContext(self._served, caller.session, self._allow_unsafe)
        if method.notifies is None:
            result: Json | Awaitable[Json] = method.function(context, *arguments)
            return result
        if caller.session is None:
            raise NeedsWebSocket
        caller.session.check_room()
        return caller.session.accept(method, method.function(context, *arguments))


def _end_subscription(request: _Request, session: ClientSession | None) -> bool:
    if session is None:
        raise NeedsWebSocket
    given = request.params
    if isinstance(given, dict):
        given = list(given.values())
    if not isinstance(given, list) or len(given) != 1:
        raise InvalidParams("expected a subscription's id")
    return session.end(given[0], request.name)


def _parse(message: bytes) -> Json:
    if sum(message.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise TooManyValues(MAX_VALUES)
    try:
        parsed: Json = json.loads(message.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ParseError from None
    return parsed


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _read(parsed: Json) -> _Request:
    if not isinstance(parsed, dict) or parsed.get("jsonrpc") != "2.0":
        raise InvalidRequest
    id_, name = parsed.get("id"), parsed.get("method")
    if not isinstance(name, str) or isinstance(id_, (bool, list, dict)):
        raise InvalidRequest
    assert not isinstance(id_, tuple), "JSON has none"
    return _Request(id_, "id" in parsed, name, parsed.get("params"))


def _success(id_: Json, result: Json) -> str:
    return _rendered({"jsonrpc": "2.0", "id": id_, "result": result})


def failure(id_: Json, error: RpcError) -> str:
    """The answer that tells of an error."""
    return _rendered({"jsonrpc": "2.0", "id": id_, "error": error.form()})


def _rendered(answer: Json) -> str:
    return json.dumps(answer, separators=(",", ":"))
