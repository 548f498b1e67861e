"""Whatever is asked: an answer as the specification has it, and a node that is none the worse."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parahost.node.role import Role
from parahost.rpc.limits import ANSWER_BYTES_TOGETHER, REQUEST_BYTES_TOGETHER
from parahost.rpc.methods import all_methods
from parahost.rpc.table import Method
from tests.rpc.world import World, serving

TABLE = all_methods()
ROUNDS = 40
ERRORS = {-32601, -32602, -32008, 2002, 4001, 4002, 4003} | set(range(-32804, -32799))
ERRORS |= {1001, 1010, 1011, 1012, 1013, 1014, 1016, 1040}
"""All codes that a method may give; -32603 is a bug."""


def values(dice: random.Random, world: World) -> list[Any]:
    """One of each kind: what is right somewhere, what is wrong everywhere, what is at an edge."""
    genesis = world.node.chain.genesis_hash.hex()
    return [
        None,
        True,
        0,
        1,
        -1,
        2**32 - 1,
        2**32,
        10**40,
        1.5,
        "",
        "0x",
        "0X00",
        "0x0",
        "0x" + dice.randbytes(dice.randrange(40)).hex(),
        "0x" + genesis,
        genesis,
        "0x" + dice.randbytes(32).hex(),
        "value",
        "babe",
        "ParachainHost_validators",
        "Core_version",
        "Metadata_metadata_at_version",
        "\x00\ud800💥",
        [],
        [None],
        ["0x" + genesis],
        [["0x"]],
        [{"key": "0x", "type": "value"}],
        [{"key": "0x3a", "type": "descendantsHashes", "paginationStartKey": "0x"}],
        {},
        {"key": "0x"},
        list(range(100)),
    ]


def arguments(dice: random.Random, world: World, method: Method) -> Any:
    """By place or by name; sometimes too many, sometimes something else."""
    known = values(dice, world)
    count = max(0, len(method.parameters.each) + dice.choice([0, 0, 0, 0, -1, 1]))
    given = [dice.choice(known) for _ in range(count)]
    if dice.random() < 0.2:
        names = [one.name for one in method.parameters.each]
        return dict(zip([*names, "more"], given, strict=False))
    return dice.choice(known) if dice.random() < 0.05 else given


@pytest.mark.parametrize("method", TABLE.methods, ids=lambda method: str(method.name))
async def test_any_arguments_get_a_result_or_an_error_of_the_specification(
    method: Method,
) -> None:
    dice = random.Random(method.name)
    async with serving(role=Role.FULL) as world, world.client() as client:
        for number in range(ROUNDS):
            params = arguments(dice, world, method)
            name = dice.choice([*method.names, *method.ends])
            request = {"jsonrpc": "2.0", "id": number, "method": name, "params": params}
            answer = await client.ask(json.dumps(request))
            assert answer["id"] == number
            if "error" in answer:
                assert "result" not in answer
                assert answer["error"]["code"] in ERRORS, (request, answer)
        assert await client.call("system_name") == "parahost"


async def test_bytes_that_are_no_request_end_at_most_their_connection() -> None:
    dice = random.Random("bytes")
    good = b'{"jsonrpc":"2.0","id":1,"method":"chain_getHeader","params":["0x00"]}'
    async with serving(role=Role.FULL) as world:
        for _ in range(300):
            spoilt = bytearray(good)
            for _ in range(dice.randrange(1, 6)):
                at = dice.randrange(len(spoilt))
                match dice.randrange(3):
                    case 0:
                        spoilt[at] = dice.randrange(256)
                    case 1:
                        del spoilt[at]
                    case _:
                        spoilt[at:at] = dice.randbytes(dice.randrange(4))
            async with world.client() as client:
                await client.send_bytes(bytes(spoilt))
                await client.send('{"jsonrpc":"2.0","id":"last","method":"system_name"}')
                with suppress(trio.EndOfChannel):
                    while (answer := await client.answer()).get("id") != "last":
                        assert ("error" in answer) != ("result" in answer)
                        assert answer.get("error", {}).get("code") != -32603, bytes(spoilt)
        async with world.client() as client:
            assert await client.call("system_name") == "parahost"


async def test_any_bytes_on_the_port_end_at_most_their_connection(
    autojump_clock: MockClock,
) -> None:
    dice = random.Random("port")
    beginnings = (
        b"",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    async with serving(role=Role.FULL) as world:
        for _ in range(200):
            stream = world.stream()
            await stream.send_all(dice.choice(beginnings) + dice.randbytes(dice.randrange(200)))
            with trio.move_on_after(300):
                while await stream.receive_some():
                    pass
            await stream.aclose()
        async with world.client() as client:
            assert await client.call("system_name") == "parahost"


async def test_after_all_that_nothing_is_held(autojump_clock: MockClock) -> None:
    dice = random.Random("held")
    async with serving() as world:
        for _ in range(20):
            async with world.client() as client:
                batch = [
                    {
                        "jsonrpc": "2.0",
                        "id": number,
                        "method": dice.choice(TABLE.names),
                        "params": arguments(dice, world, dice.choice(TABLE.methods)),
                    }
                    for number in range(30)
                ]
                await client.send(json.dumps(batch))
                await trio.sleep(dice.random())
        await world.blocks(3)
        shared = world.server.shared
        assert shared.subscriptions.taken == 0
        assert shared.requests.left == REQUEST_BYTES_TOGETHER
        assert shared.answers.left == ANSWER_BYTES_TOGETHER
        assert not world.served.feed.readers
