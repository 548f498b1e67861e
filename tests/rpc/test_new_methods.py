"""The newer methods: follow the chain and ask about pinned blocks; blocks of the past."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from parahost.node.role import Role
from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.scale import decode
from parahost.rpc.code import CODE_KEY
from parahost.rpc.limits import MAX_FOLLOWS_OF_CONNECTION, MAX_OPERATIONS
from parahost.rpc.methods import archive
from parahost.runtime.read_only import MODULES
from parahost.runtime.runtime_apis import state_call
from parahost.trie import ChangedValue
from tests.rpc.test_transactions import remark
from tests.rpc.world import SLOT_S, STATE, Client, serving

ACCOUNTS = MODULES.system.account.prefix
NOWHERE = "0x" + "77" * 32


def key(name: bytes) -> str:
    return f"0x{name.hex()}"


async def follow(client: Client, with_runtime: bool = True) -> tuple[str, str]:
    """A subscription, and the final block that it begins with."""
    subscription = await client.call("chainHead_v1_follow", with_runtime)
    first = await client.told(subscription)
    assert first["event"] == "initialized"
    return subscription, first["finalizedBlockHashes"][-1]


async def operation(client: Client, method: str, subscription: str, *arguments: Any) -> list[Any]:
    """What an operation tells, to its end."""
    started = await client.call(method, subscription, *arguments)
    assert started["result"] == "started"
    told: list[Any] = []
    while True:
        event = await client.told(subscription)
        if event.get("operationId") == started["operationId"]:
            told.append(event)
            if event["event"] != "operationStorageItems":
                return told


# chainHead


async def test_a_follower_is_told_of_each_block_once_and_in_order(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        await world.blocks(3)
        async with world.client() as client:
            subscription, root = await follow(client)
            known, final, best = {root}, [root], None
            while len(final) < 6:
                event = await client.told(subscription)
                match event["event"]:
                    case "newBlock":
                        assert event["blockHash"] not in known
                        assert event["parentBlockHash"] in known
                        assert event["newRuntime"] is None
                        known.add(event["blockHash"])
                    case "bestBlockChanged":
                        assert event["bestBlockHash"] in known
                        assert event["bestBlockHash"] != best
                        best = event["bestBlockHash"]
                    case "finalized":
                        for hash in event["finalizedBlockHashes"]:
                            assert hash in known
                            header = await client.call("chainHead_v1_header", subscription, hash)
                            decoded = decode(Header, bytes.fromhex(header[2:]))
                            assert f"0x{decoded.parent_hash.hex()}" == final[-1]
                            final.append(hash)
            assert await client.call("chainHead_v1_unfollow", subscription) is None


async def test_the_runtime_is_told_to_who_asks_for_it() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        with_it = await client.call("chainHead_v1_follow", True)
        runtime = (await client.told(with_it))["finalizedBlockRuntime"]
        assert runtime["type"] == "valid"
        version = await client.call("state_getRuntimeVersion")
        assert runtime["spec"]["specVersion"] == version["specVersion"]
        assert list(runtime["spec"]["apis"].items()) == [tuple(one) for one in version["apis"]]
        await client.told(with_it)
        without = await client.call("chainHead_v1_follow", False)
        first = await client.told(without)
        assert "finalizedBlockRuntime" not in first
        (block,) = first["finalizedBlockHashes"]
        asked = await client.refused("chainHead_v1_call", without, block, "Core_version", "")
        assert asked["code"] == -32802


async def test_pinned_blocks_are_asked_about() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)
        (body,) = await operation(client, "chainHead_v1_body", subscription, block)
        assert (body["event"], body["value"]) == ("operationBodyDone", [])
        (called,) = await operation(
            client, "chainHead_v1_call", subscription, block, "ParachainHost_validators", ""
        )
        assert called["output"] == key(state_call("ParachainHost_validators", b"", STATE))
        (failed,) = await operation(
            client, "chainHead_v1_call", subscription, block, "Nothing_here", "0x"
        )
        assert failed["event"] == "operationError"


async def test_storage_is_told_as_it_is_asked_for() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)

        async def ask(*queries: dict[str, str]) -> list[Any]:
            *parts, done = await operation(
                client, "chainHead_v1_storage", subscription, block, list(queries), None
            )
            assert done["event"] == "operationStorageDone"
            return [item for part in parts for item in part["items"]]

        everybody = list(STATE.items_raw(ACCOUNTS))
        name, value = everybody[0]
        assert await ask({"key": key(name), "type": "value"}) == [
            {"key": key(name), "value": key(value)}
        ]
        assert await ask({"key": key(name), "type": "hash"}) == [
            {"key": key(name), "hash": key(blake2_256(value))}
        ]
        assert await ask({"key": "0x00", "type": "value"}) == []
        told = await ask({"key": key(ACCOUNTS), "type": "descendantsValues"})
        assert told == [{"key": key(one), "value": key(other)} for one, other in everybody]
        told = await ask({"key": key(ACCOUNTS), "type": "descendantsHashes"})
        assert told == [
            {"key": key(one), "hash": key(blake2_256(other))} for one, other in everybody
        ]
        merkle = {"key": "0x", "type": "closestDescendantMerkleValue"}
        assert await ask(merkle) == [{"key": "0x", "closestDescendantMerkleValue": key(STATE.root)}]
        (code,) = await ask({"key": key(CODE_KEY), "type": "hash"})
        assert code["hash"] == await client.call("state_getStorageHash", key(CODE_KEY))


async def test_what_is_let_go_is_not_asked_about_any_more() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)
        for hashes, code in (
            ([NOWHERE], -32801),
            ([block, NOWHERE], -32801),
            ([block] * 2, -32804),
        ):
            error = await client.refused("chainHead_v1_unpin", subscription, hashes)
            assert error["code"] == code
            await client.call("chainHead_v1_header", subscription, block)
        assert await client.call("chainHead_v1_unpin", subscription, block) is None
        for method, *arguments in (
            ("chainHead_v1_header",),
            ("chainHead_v1_body",),
            ("chainHead_v1_call", "Core_version", "0x"),
            ("chainHead_v1_storage", [], None),
            ("chainHead_v1_unpin",),
        ):
            error = await client.refused(method, subscription, block, *arguments)
            assert error["code"] == -32801


async def test_a_subscription_that_is_over_answers_as_the_specification_has_it() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)
        assert await client.call("chainHead_v1_unfollow", subscription) is None
        limit = {"result": "limitReached"}
        for over in (subscription, "none"):
            assert await client.call("chainHead_v1_header", over, block) is None
            assert await client.call("chainHead_v1_body", over, block) == limit
            asked = ("chainHead_v1_call", over, block, "Core_version", "0x")
            assert await client.call(*asked) == limit
            assert await client.call("chainHead_v1_storage", over, block, [], None) == limit
            assert await client.call("chainHead_v1_unpin", over, block) is None
            assert await client.call("chainHead_v1_continue", over, "1") is None
            assert await client.call("chainHead_v1_stopOperation", over, "1") is None
            assert await client.call("chainHead_v1_unfollow", over) is None


async def test_an_operation_is_stopped_and_none_waits_to_be_continued() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)
        await client.told(subscription)
        assert await client.call("chainHead_v1_continue", subscription, "none") is None
        second = f"{2:016x}"  # What the connection names second.
        started, refused = await client.batch(  # In one, so that the operation has not ended.
            [
                {"jsonrpc": "2.0", "id": 1, "method": f"chainHead_v1_{name}", "params": params}
                for name, params in (
                    ("body", [subscription, block]),
                    ("continue", [subscription, second]),
                )
            ]
        )
        assert started["result"]["operationId"] == second
        assert refused["error"]["code"] == -32803
        assert await client.call("chainHead_v1_stopOperation", subscription, "none") is None


async def test_follows_and_operations_have_limits() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        subscription, block = await follow(client)
        await client.told(subscription)
        batch = [
            {
                "jsonrpc": "2.0",
                "id": i,
                "method": "chainHead_v1_body",
                "params": [subscription, block],
            }
            for i in range(MAX_OPERATIONS + 1)
        ]
        answers = [answer["result"]["result"] for answer in await client.batch(batch)]
        assert answers == ["started"] * MAX_OPERATIONS + ["limitReached"]
        for _ in range(MAX_OPERATIONS):
            assert (await client.told(subscription))["event"] == "operationBodyDone"
        for _ in range(MAX_FOLLOWS_OF_CONNECTION - 1):
            await client.call("chainHead_v1_follow", False)
        assert (await client.refused("chainHead_v1_follow", False))["code"] == -32800


async def test_who_pins_too_much_is_stopped(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parahost.rpc.follow.MAX_PINNED", 4)
    async with serving() as world, world.client() as client:
        subscription, block = await follow(client)
        events = []
        while (event := (await client.told(subscription))["event"]) != "stop":
            events.append(event)
        assert events.count("newBlock") <= 6
        assert "finalized" in events
        await world.blocks(1)
        assert await client.call("chainHead_v1_header", subscription, block) is None
        again, _ = await follow(client)
        assert again != subscription


async def test_a_chain_whose_finality_stands_still_is_followed_beyond_the_limit(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parahost.rpc.follow.MAX_PINNED", 4)
    async with serving() as world, world.client() as client:
        chain = world.node.chain
        finalize = chain.finalize
        chain.finalize = lambda block, justification: None  # type: ignore[method-assign]
        await world.blocks(6)
        subscription, _ = await follow(client)
        events = [await client.told(subscription) for _ in range(12)]
        assert sum(event["event"] == "newBlock" for event in events) >= 8
        last = events[-1].get("blockHash") or events[-1]["bestBlockHash"]
        assert await client.call("chainHead_v1_header", subscription, last)
        final = chain.hash_of(BlockNumber(U32(3)))
        assert final is not None
        finalize(final, None)
        while (event := await client.told(subscription))["event"] != "finalized":
            pass
        assert len(event["finalizedBlockHashes"]) == 3
        assert await client.call("chainHead_v1_header", subscription, key(final))


async def test_a_best_block_that_was_told_of_before_is_told_as_such(
    autojump_clock: MockClock,
) -> None:
    """The fork that was best is left, and no block comes."""
    async with serving() as one, serving() as other, serving(role=Role.FULL, keys={}) as world:
        one.node.pool.submit(remark(world, 0))  # Else both would make the same blocks.
        chain = world.node.chain
        async with world.client() as client:
            subscription, _ = await follow(client)
            for each in (one, other):
                await each.blocks(2)
                await world.take_chain(each, 2)
            best, bad = chain.best_hash, chain.state(chain.best_hash)
            (beside,) = set(chain.leaves()) - {best}
            second = BlockNumber(U32(2))
            with trio.fail_after(SLOT_S):
                while await client.told(subscription) != best_is(best):
                    pass
                chain.first_unviable = lambda state, above: second if state is bad else None
                chain.reconsider()
                while await client.told(subscription) != best_is(beside):
                    pass


def best_is(block: Hash) -> dict[str, str]:
    """What a follower is told then."""
    return {"event": "bestBlockChanged", "bestBlockHash": key(block)}


async def test_a_pinned_block_is_at_hand_though_finality_has_left_it(
    autojump_clock: MockClock,
) -> None:
    async with serving() as one, serving() as other, serving(role=Role.FULL, keys={}) as world:
        one.node.pool.submit(remark(world, 0))  # Else both would make the same blocks.
        chain = world.node.chain
        async with world.client() as client:
            subscription, _ = await follow(client)
            await one.blocks(2)
            await world.take_chain(one)
            left = key(chain.best_hash)
            body = (await client.call("chain_getBlock", left))["block"]["extrinsics"]
            await other.blocks(3)
            await world.take_chain(other)
            assert key(chain.best_hash) != left
            chain.finalize(chain.best_hash, None)
            while (event := await client.told(subscription))["event"] != "finalized":
                pass
            assert left in event["prunedBlockHashes"]
            assert await client.call("chainHead_v1_header", subscription, left)
            assert (await operation(client, "chainHead_v1_body", subscription, left))[-1][
                "value"
            ] == body
            asked = "chainHead_v1_call", subscription, left, "Core_version", "0x"
            assert (await operation(client, *asked))[-1]["event"] == "operationCallDone"
            final = event["finalizedBlockHashes"][-1]
            told = await operation(client, "chainHead_v1_body", subscription, final)
            assert told[-1]["event"] == "operationBodyDone"


async def test_a_follower_that_comes_back_is_told_of_the_last_final_blocks(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parahost.rpc.follow.FINAL_BLOCKS_TOLD", 3)
    async with serving() as world, world.client() as client:
        await world.blocks(6)
        chain = world.node.chain
        final = chain.finalized_hash
        subscription = await client.call("chainHead_v1_follow", True)
        first = await client.told(subscription)
        expected = [*chain.ancestors(final, 2)[::-1], final]
        assert first["finalizedBlockHashes"] == [key(block) for block in expected]
        for block in first["finalizedBlockHashes"]:
            assert await client.call("chainHead_v1_header", subscription, block)
        hashes = first["finalizedBlockHashes"]
        assert await client.call("chainHead_v1_unpin", subscription, hashes) is None


# archive, chainSpec, grandpa


async def test_blocks_of_the_past_are_found_by_their_numbers(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        while world.node.chain.finalized.number < 2:
            await world.blocks(1)
        genesis = f"0x{world.node.chain.genesis_hash.hex()}"
        assert await client.call("archive_v1_genesisHash") == genesis
        assert await client.call("archive_v1_finalizedHeight") >= 2
        assert await client.call("archive_v1_hashByHeight", 0) == [genesis]
        (first,) = await client.call("archive_v1_hashByHeight", 1)
        assert first == await client.call("chain_getBlockHash", 1)
        best = world.node.chain.best
        assert await client.call("archive_v1_hashByHeight", best.number) == [key(best.hash())]
        assert await client.call("archive_v1_hashByHeight", 10**9) == []
        header = decode(Header, bytes.fromhex((await client.call("archive_v1_header", first))[2:]))
        assert key(header.hash()) == first
        block = await client.call("chain_getBlock", first)
        assert await client.call("archive_v1_body", first) == block["block"]["extrinsics"]
        for method in ("archive_v1_header", "archive_v1_body"):
            assert await client.call(method, NOWHERE) is None
        asked = await client.call("archive_v1_call", first, "ParachainHost_validators", "0x")
        state = world.node.chain.state(header.hash())
        answer = key(state_call("ParachainHost_validators", b"", state))
        assert asked == {"success": True, "value": answer}
        failed = await client.call("archive_v1_call", first, "Nothing_here", "0x")
        assert failed["success"] is False
        assert await client.call("archive_v1_call", NOWHERE, "Core_version", "0x") is None


async def test_storage_of_the_past_is_told_item_by_item() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        genesis = f"0x{world.node.chain.genesis_hash.hex()}"
        query = {"key": key(ACCOUNTS), "type": "descendantsValues"}
        subscription = await client.call("archive_v1_storage", genesis, [query], None)
        told = []
        while (event := await client.told(subscription))["event"] == "storage":
            told.append((event["key"], event["value"]))
        assert event == {"event": "storageDone"}
        assert told == [(key(one), key(other)) for one, other in STATE.items_raw(ACCOUNTS)]
        unknown = await client.call("archive_v1_storage", NOWHERE, [query], None)
        assert (await client.told(unknown))["event"] == "storageError"
        wrong = {"key": "0x", "type": "everything"}
        error = await client.refused("archive_v1_storage", genesis, [wrong], None)
        assert error["code"] == -32602


async def told_until(client: Client, subscription: str, last: str) -> list[Any]:
    """All that a subscription tells up to the event of that name, without it."""
    told: list[Any] = []
    while True:
        event = await client.told(subscription)
        if event["event"] == last:
            return told
        told.append(event)


async def test_what_is_different_in_two_states_is_told_key_by_key(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(4)
        chain = world.node.chain
        blocks = [await client.call("chain_getBlockHash", number) for number in range(4)]
        states = [dict(chain.state(bytes.fromhex(one[2:])).items_raw()) for one in blocks]  # type: ignore[arg-type]
        for before, after, named in ((2, 3, ()), (0, 3, (blocks[0],)), (3, 3, (blocks[3],))):
            old, new = states[before], states[after]
            watch = await client.call("archive_v1_storageDiff", blocks[after], None, *named)
            told = await told_until(client, watch, "storageDiffDone")
            assert told == [
                {
                    "event": "storageDiff",
                    "key": key(name),
                    "value": key(new[name] if name in new else old[name]),
                    "type": "added"
                    if name not in old
                    else "modified"
                    if name in new
                    else "deleted",
                }
                for name in sorted(old.keys() | new.keys())
                if old.get(name) != new.get(name)
            ]
        assert await client.call("archive_v1_stopStorageDiff", watch) is None


def test_what_is_deleted_is_told_with_what_it_was() -> None:
    for hashes, told in ((False, {"value": "0x05"}), (True, {"hash": key(blake2_256(b"\5"))})):
        change = ChangedValue(b"\1", b"\5", None)
        assert archive.difference_form(change, hashes=hashes) == {
            "event": "storageDiff",
            "key": "0x01",
            "type": "deleted",
            **told,
        }


async def test_a_difference_is_told_as_it_is_asked_for(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(2)
        best = await client.call("chain_getBlockHash", 2)
        prefix = MODULES.system.number.prefix
        value = await client.call("state_getStorage", key(prefix), best)
        items = [
            {"key": key(prefix), "returnType": "hash"},
            {"key": key(prefix[:16]), "returnType": "value", "childTrieKey": "0x00"},
        ]
        watch = await client.call("archive_v1_storageDiff", best, items)
        assert await told_until(client, watch, "storageDiffDone") == [
            {
                "event": "storageDiff",
                "key": key(prefix),
                "hash": key(blake2_256(bytes.fromhex(value[2:]))),
                "type": "modified",
            }
        ]
        genesis = await client.call("chain_getBlockHash", 0)
        for wrong in ((NOWHERE,), (genesis, None, best), (best, None, NOWHERE), (genesis,)):
            watch = await client.call("archive_v1_storageDiff", *wrong)
            assert await told_until(client, watch, "storageDiffError") == []
        for item in ("0x", {"key": "0x"}, {"returnType": "both"}, {"returnType": "hash", "no": 1}):
            error = await client.refused("archive_v1_storageDiff", best, [item])
            assert error["code"] == -32602


async def test_the_chain_is_named() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        assert await client.call("chainSpec_v1_chainName") == "Test"
        genesis = await client.call("chainSpec_v1_genesisHash")
        assert genesis == await client.call("chain_getBlockHash", 0)
        properties = await client.call("chainSpec_v1_properties")
        assert properties == await client.call("system_properties")


async def test_finality_is_proved(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        subscription = await client.call("grandpa_subscribeJustifications")
        justification = await client.told(subscription)
        final = key(world.node.chain.finalized_hash)
        (proof,) = (await client.call("chain_getBlock", final))["justifications"]
        assert justification == key(bytes(proof[1]))
        number = world.node.chain.finalized.number
        proved = await client.call("grandpa_proveFinality", number)
        assert proved.startswith(final)
        assert justification[2:] in proved
        assert await client.call("grandpa_proveFinality", number + 100) is None
