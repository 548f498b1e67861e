"""What the server answers to good and bad requests, by the letter of JSON-RPC 2.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parahost.node.role import Role
from parahost.rpc.limits import MAX_BATCHED_CALLS, MAX_VALUES
from parahost.rpc.server import AllowedMethods, RpcOptions
from tests.rpc.world import serving

CHAIN = {"jsonrpc": "2.0", "id": 1, "method": "system_chain"}


def error(answer: Any) -> tuple[Any, int, str]:
    """Id, code and message of an error."""
    assert answer["jsonrpc"] == "2.0"
    assert "result" not in answer
    return answer["id"], answer["error"]["code"], answer["error"]["message"]


PARSE_ERROR = (None, -32700, "Parse error")
INVALID_REQUEST = (None, -32600, "Invalid request")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PARSE_ERROR),
        ('{"jsonrpc": "2.0"', PARSE_ERROR),
        ("nonsense", PARSE_ERROR),
        ('{"jsonrpc":"2.0","id":NaN,"method":"system_chain"}', PARSE_ERROR),
        ("1" * 5000, PARSE_ERROR),
        ("[" * 5000 + "]" * 5000, PARSE_ERROR),
        ("1", INVALID_REQUEST),
        ('"system_chain"', INVALID_REQUEST),
        ("null", INVALID_REQUEST),
        ("{}", INVALID_REQUEST),
        ("[]", INVALID_REQUEST),
        ('{"jsonrpc":"1.0","id":1,"method":"system_chain"}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":[1],"method":"system_chain"}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":true,"method":"system_chain"}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":1,"method":1}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":7,"method":"no_such"}', (7, -32601, "Method not found")),
        ("[" + "1," * MAX_VALUES + "1]", (None, -32007, "Request is too big")),
    ],
)
async def test_what_is_no_request_is_refused_with_the_code_for_it(
    text: str, expected: tuple[Any, int, str]
) -> None:
    async with serving() as world, world.client() as client:
        assert error(await client.ask(text)) == expected
        assert await client.call("system_chain") == "Test", "the connection goes on"


@pytest.mark.parametrize("id_", [0, -1, 2.5, "a", "", None, 1 << 70, "\ud800"])
async def test_the_answer_has_the_requests_id(id_: Any) -> None:
    async with serving() as world, world.client() as client:
        answer = await client.ask(json.dumps({**CHAIN, "id": id_}))
        assert answer == {"jsonrpc": "2.0", "id": id_, "result": "Test"}


async def test_a_batch_is_answered_in_one_without_its_notifications() -> None:
    async with serving() as world, world.client() as client:
        notification = {"jsonrpc": "2.0", "method": "system_chain"}
        batch = [CHAIN, notification, 1, {**CHAIN, "id": "b", "method": "none"}]
        first, second, third = await client.ask(json.dumps(batch))
        assert first == {"jsonrpc": "2.0", "id": 1, "result": "Test"}
        assert error(second) == INVALID_REQUEST
        assert error(third) == ("b", -32601, "Method not found")
        await client.send(json.dumps([notification]))
        assert await client.call("system_chain") == "Test", "nothing was said before"


async def test_a_batch_has_a_limit() -> None:
    async with serving() as world, world.client() as client:
        assert len(await client.ask(json.dumps([CHAIN] * MAX_BATCHED_CALLS))) == MAX_BATCHED_CALLS
        answer = await client.ask(json.dumps([CHAIN] * (MAX_BATCHED_CALLS + 1)))
        assert error(answer) == (None, -32010, "The batch request was too large")


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (["0x12"], "hash: expected block hash"),
        (["0x" + "zz" * 32], "hash: expected block hash"),
        ([1], "hash: expected block hash"),
        ([True], "hash: expected block hash"),
        ([["0x"]], "hash: expected block hash"),
        (["0x" + " 1" * 32], "hash: expected block hash"),
        ([None, None], "expected at most 1 parameters, not 2"),
        ({"block": None}, "block: there is no such parameter"),
        ("0x", "expected a list or an object"),
        (7, "expected a list or an object"),
    ],
)
async def test_wrong_arguments_are_named(params: Any, why: str) -> None:
    async with serving() as world, world.client() as client:
        request = {"jsonrpc": "2.0", "id": 1, "method": "chain_getHeader", "params": params}
        answer = await client.ask(json.dumps(request))
        assert error(answer) == (1, -32602, "Invalid params")
        assert answer["error"]["data"] == why


async def test_arguments_may_be_named_or_left_out() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        request = {"jsonrpc": "2.0", "id": 1, "method": "chain_getHeader"}
        genesis = world.node.chain.genesis_hash.hex()
        for params in ({"hash": genesis}, [genesis], ["0x" + genesis], [], {}, None):
            answer = await client.ask(json.dumps({**request, "params": params}))
            assert answer["result"]["number"] == "0x0"


async def test_unsafe_methods_are_for_this_machine_alone_unless_told_otherwise() -> None:
    for options, allowed in (
        (RpcOptions(), True),
        (RpcOptions(methods=AllowedMethods.SAFE), False),
        (RpcOptions(external=True), False),
        (RpcOptions(external=True, methods=AllowedMethods.UNSAFE), True),
    ):
        async with serving(options) as world, world.client() as client:
            answer = await client.raw_call("system_peers")
            if allowed:
                assert answer["result"] == []
            else:
                unsafe = "RPC call is unsafe to be called externally"
                assert error(answer)[1:] == (-32601, unsafe)


async def test_a_bug_in_a_method_is_told_as_such_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as world, world.client() as client:
        monkeypatch.setattr(world.served, "spec", None)
        answer = await client.raw_call("system_chain")
        assert error(answer)[1:] == (-32603, "Internal error")
        assert "the method system_chain failed" in caplog.text
        assert await client.call("system_name") == "parahost"
