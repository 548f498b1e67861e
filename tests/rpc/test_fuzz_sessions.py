"""Clients that know what they ask for, and what they should not: whole sessions from the table.

What is drawn for a parameter is right by its shape most of the time, so that it comes past the
reading of arguments: blocks that there are, subscriptions that this client has, extrinsics that are
good until somebody has cut, lengthened or changed them. Beside it the chain goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost.primitives.basic import U64
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import encode
from parahost.primitives.ss58 import ss58_encode
from parahost.rpc.limits import (
    ANSWER_BYTES_TOGETHER,
    MAX_BATCHED_CALLS,
    MAX_SUBSCRIPTIONS_OF_CONNECTION,
    REQUEST_BYTES_TOGETHER,
)
from parahost.rpc.methods import all_methods
from parahost.rpc.params import STORAGE_KINDS, Parameter
from parahost.rpc.table import Method
from parahost.runtime.development import account_of
from parahost.runtime.extrinsic import inherent
from parahost.runtime.read_only import MODULES
from parahost.runtime.runtime_apis import RUNTIME_APIS
from parahost.runtime.timestamp import SetTimestamp
from tests.memory_network import identity_of
from tests.rpc.test_fuzz import ERRORS
from tests.rpc.test_transactions import hex_name, remark
from tests.rpc.world import Client, World, serving

TABLE = all_methods()
SESSIONS, STEPS = 20, 40
LIMITS = {-32006, -32007, -32009, -32010}
"""What a server answers that has had enough."""
FUNCTIONS = [f"{trait.name}_{one.name}" for trait in RUNTIME_APIS for one in trait.methods]
KEYS = [item.prefix for module in MODULES for item in module.storage_items]
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 2**64, 1.5, "", "0x0", "\ud800", [], [[]], {}, {"a": []}]
)


def hex_of(data: bytes) -> str:
    return f"0x{data.hex()}"


@dataclass
class Session:
    """A client, what it has learnt, and what draws its next question."""

    world: World
    client: Client
    data: st.DataObject
    names: list[str] = field(default_factory=lambda: ["none"])
    """Of its subscriptions and operations."""

    def draw(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    # Values, by the names of shapes

    def block_hash(self) -> str:
        chain = self.world.node.chain
        known = chain.genesis_hash, chain.best_hash, chain.finalized_hash, bytes(32)
        return hex_of(self.draw(*known))

    def storage_key(self) -> str:
        key = self.draw(*KEYS)
        return hex_of(key[: self.draw(len(key), 16, 3, 0)])

    def storage_item(self) -> Any:
        item = {"key": self.storage_key(), "type": self.draw(*STORAGE_KINDS)}
        return item | self.draw({}, {}, {"paginationStartKey": self.storage_key()})

    def transaction(self) -> Extrinsic:
        """Signed, or an inherent that nobody but an author may bring; whole, or spoilt."""
        good: Extrinsic = self.draw(
            remark(
                self.world, self.draw(0, 1, 2, 7), b"x" * self.draw(0, 300), tip=self.draw(0, 5)
            ),
            remark(self.world, 0, who="//Nobody"),
            inherent(SetTimestamp(U64(1))),
        )
        at = self.draw(0, 1, 2, 33, 40, 100) % len(good)
        match self.draw("whole", "whole", "cut", "long", "changed"):
            case "cut":
                return Extrinsic(good[:at])
            case "long":
                return Extrinsic(good + bytes(at + 1))
            case "changed":
                return Extrinsic(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        return good

    def hex_extrinsic(self) -> str:
        whole = encode(self.transaction(), bytes)
        return hex_of(self.draw(whole, whole, whole[1:], whole[:-1], b"\xff" * 8 + whole))

    def text(self) -> str:
        peer = identity_of("friend").peer
        words = "babe", "gran", "//Alice", peer, f"/ip4/192.0.2.1/tcp/1/p2p/{peer}"
        return str(self.draw(*self.names, self.names[-1], *FUNCTIONS, *words))

    def value(self, shape: str) -> Any:
        if shape.startswith("list of "):
            count = self.draw(0, 1, 2, 5)
            return [self.value(shape.removeprefix("list of ")) for _ in range(count)]
        match shape:
            case "block hash" | "block hash, or list of them":
                return self.block_hash()
            case "block number, or list of them" | "number":
                return self.draw(0, 1, 3, 10**6)
            case "hex storage key":
                return self.storage_key()
            case "storage item":
                return self.storage_item()
            case "item of a difference":
                return {"key": self.storage_key(), "returnType": self.draw("value", "hash")}
            case "hex extrinsic":
                return self.hex_extrinsic()
            case "hex bytes":
                return hex_of(self.data.draw(st.binary(max_size=70)))
            case "account, as SS58 or hex":
                return self.draw(ss58_encode(account_of("//Alice")), "0x" + "11" * 32)
            case "true or false":
                return self.draw(True, False)
            case "text":
                return self.text()
        return {"hash": hex_name(remark(self.world, self.draw(0, 1)))}

    def argument(self, parameter: Parameter) -> Any:
        kind = self.draw("right", "right", "right", "right", "right", "absent", "wrong")
        if kind == "wrong":
            return self.data.draw(WRONG)
        absent = kind == "absent" and parameter.optional
        return None if absent else self.value(parameter.shape.name)

    # Questions

    def question(self, id_: int) -> dict[str, Any]:
        method: Method = self.draw(*TABLE.methods)
        name = self.draw(*method.names)
        params: Any = [self.argument(one) for one in method.parameters.each]
        if method.ends and self.draw(True, False, False):
            name, params = self.draw(*method.ends), [self.draw(*self.names)]
        return {"jsonrpc": "2.0", "id": id_, "method": name, "params": params}

    async def ask(self, first_id: int) -> None:
        """One question, or a batch."""
        count = self.draw(1, 1, 1, 4, MAX_BATCHED_CALLS + 1)
        if count > MAX_BATCHED_CALLS:
            answer = await self.client.ask(json.dumps([self.question(0)] * count))
            assert answer["error"]["code"] == -32010
            return
        asked = [self.question(first_id + number) for number in range(count)]
        answers = await self.client.ask(json.dumps(asked[0] if count == 1 else asked))
        for question, answer in zip(asked, answers if count > 1 else [answers], strict=True):
            self.check(question, answer)

    def check(self, question: dict[str, Any], answer: dict[str, Any]) -> None:
        assert answer["id"] == question["id"]
        assert ("error" in answer) != ("result" in answer), answer
        if "error" in answer:
            assert answer["error"]["code"] in ERRORS | LIMITS, (question, answer)
            return
        method, result = TABLE.get(question["method"]), answer["result"]
        if method is not None and method.notifies is not None:
            self.names.append(result)
        elif isinstance(result, dict) and "operationId" in result:
            self.names.append(result["operationId"])


@settings(
    max_examples=SESSIONS,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_whatever_a_client_does_it_gets_answers_and_the_chain_goes_on(data: st.DataObject) -> None:
    async def session() -> None:
        async with serving() as world:
            async with world.client() as client:
                one = Session(world, client, data)
                for step in range(STEPS):
                    await one.ask(10 * step)
                    if data.draw(st.integers(0, 5)) == 0:
                        await world.blocks(1)
                assert len(one.names) <= 2 * MAX_SUBSCRIPTIONS_OF_CONNECTION
                assert await client.call("system_name") == "parahost"
                told = {note["params"]["subscription"] for note in client.notes}
                assert told <= set(one.names)
            await world.blocks(2)
            shared = world.server.shared
            assert shared.subscriptions.taken == 0
            assert shared.requests.left == REQUEST_BYTES_TOGETHER
            assert shared.answers.left == ANSWER_BYTES_TOGETHER
            assert not world.served.feed.readers

    trio.run(session, clock=MockClock(autojump_threshold=0))


def test_each_shape_of_the_table_is_drawn_as_such() -> None:
    """Else a new shape would be drawn as a transaction's name, and never come past its reading."""
    drawn = {
        "block hash",
        "block hash, or list of them",
        "block number, or list of them",
        "number",
        "hex storage key",
        "storage item",
        "item of a difference",
        "hex extrinsic",
        "hex bytes",
        "account, as SS58 or hex",
        "true or false",
        "text",
        '{"hash": transaction hash} or {"extrinsic": hex}',
    }
    names = {one.shape.name for method in TABLE.methods for one in method.parameters.each}
    assert {name.removeprefix("list of ") for name in names} == drawn
