"""Transactions by JSON-RPC, to their end."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from parahost.chain.pool.pool import transaction_hash
from parahost.crypto import sr25519
from parahost.crypto.keystore import keypair_from_uri
from parahost.node.role import Role
from parahost.ports import KeyType
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import encode
from parahost.primitives.ss58 import ss58_encode
from parahost.rpc import watching
from parahost.rpc.limits import MAX_BROADCASTS
from parahost.rpc.methods import author, transaction
from parahost.runtime.development import account_of
from parahost.runtime.extrinsic import signed
from parahost.runtime.read_only import MODULES
from parahost.runtime.system import Remark
from tests.rpc.world import World, serving

NOTHING = "0x" + "00" * 32


def remark(
    world: World, nonce: int, text: bytes = b"hello", who: str = "//Alice", tip: int = 0
) -> Extrinsic:
    key = keypair_from_uri(KeyType.ACCOUNT, who)
    assert isinstance(key, sr25519.Keypair)
    return signed(
        Remark(text),
        account_of(who),
        lambda payload: sr25519.sign(key, payload),
        nonce=nonce,
        tip=tip,
        genesis_hash=world.node.chain.genesis_hash,
    )


def on_wire(extrinsic: Extrinsic) -> str:
    """As clients send it: with its length."""
    return f"0x{encode(extrinsic, bytes).hex()}"


def hex_name(extrinsic: Extrinsic) -> str:
    return f"0x{transaction_hash(extrinsic).hex()}"


async def test_a_transaction_is_submitted_waits_and_is_included(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        one = remark(world, 0)
        assert await client.call("author_submitExtrinsic", on_wire(one)) == hex_name(one)
        assert await client.call("author_pendingExtrinsics") == [on_wire(one)]
        await world.blocks(2)
        assert await client.call("author_pendingExtrinsics") == []
        bodies = [
            (await client.call("chain_getBlock", await client.call("chain_getBlockHash", at)))[
                "block"
            ]["extrinsics"]
            for at in range(1, world.node.chain.best.number + 1)
        ]
        assert sum(on_wire(one) in body for body in bodies) == 1


async def test_the_next_nonce_counts_what_waits() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        alice = account_of("//Alice")
        for nonce in range(3):
            for name in (ss58_encode(alice), ss58_encode(alice, 0), f"0x{alice.hex()}"):
                assert await client.call("account_nextIndex", name) == nonce
                assert await client.call("system_accountNextIndex", name) == nonce
            await client.call("author_submitExtrinsic", on_wire(remark(world, nonce)))
        await client.call("author_submitExtrinsic", on_wire(remark(world, 9)))
        assert await client.call("account_nextIndex", ss58_encode(alice)) == 3
        for wrong in ("5Grw", "0x00", "", ss58_encode(alice)[:-1] + "1"):
            assert (await client.refused("account_nextIndex", wrong))["code"] == -32602


async def test_what_is_not_taken_is_refused_with_the_code_for_it() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        good = remark(world, 0)
        nobody = remark(world, 0, who="//Nobody")
        spoilt = Extrinsic(good[:-1] + bytes([good[-1] ^ 1]))
        for extrinsic, code, message in (
            ("0x", 1001, "Extrinsic has invalid format"),
            ("0x0400", 1001, "Extrinsic has invalid format"),
            (on_wire(good)[:-2], 1001, "Extrinsic has invalid format"),
            (on_wire(good) + "00", 1001, "Extrinsic has invalid format"),
            (on_wire(spoilt), 1010, "Invalid Transaction"),
            (on_wire(nobody), 1010, "Invalid Transaction"),
        ):
            error = await client.refused("author_submitExtrinsic", extrinsic)
            assert error["code"] == code
            assert error["message"].startswith(message)
        for method in ("author_submitExtrinsic", "author_submitAndWatchExtrinsic"):
            error = await client.refused(method, on_wire(spoilt))
            assert error["code"] == 1012, "it was found invalid before"
        await client.call("author_submitExtrinsic", on_wire(good))
        assert (await client.refused("author_submitExtrinsic", on_wire(good)))["code"] == 1013
        other = on_wire(remark(world, 0, b"other"))
        assert (await client.refused("author_submitExtrinsic", other))["code"] == 1014
        assert (await client.refused("author_submitExtrinsic", "nonsense"))["code"] == -32602


async def test_a_transaction_is_watched_until_it_is_final(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(2)
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(remark(world, 0)))
        assert await client.told(watch) == "ready"
        included = (await client.told(watch))["inBlock"]
        block = await client.call("chain_getBlock", included)
        assert on_wire(remark(world, 0)) in block["block"]["extrinsics"]
        assert await client.told(watch) == {"finalized": included}
        assert await client.call("author_unwatchExtrinsic", watch) is False, "it is over"


async def test_a_transaction_is_final_when_its_block_is(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        chain = world.node.chain
        finalize = chain.finalize
        chain.finalize = lambda block, justification: None  # type: ignore[method-assign]
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(remark(world, 0)))
        assert await client.told(watch) == "ready"
        included = (await client.told(watch))["inBlock"]
        await world.blocks(3)
        await client.call("system_name")
        assert not client.notes
        finalize(chain.best_hash, None)
        assert await client.told(watch) == {"finalized": included}


async def test_a_block_that_the_best_chain_leaves_is_followed_by_the_next_that_has_it(
    autojump_clock: MockClock,
) -> None:
    """As in Substrate since its pool knows forks: `retracted` is not told, which a client takes for
    the end."""
    async with serving() as one, serving() as other, serving(role=Role.FULL) as world:
        extrinsic, chain = remark(world, 0), world.node.chain
        finalize = chain.finalize
        chain.finalize = lambda block, justification: None  # type: ignore[method-assign]
        async with world.client() as client:
            watch = await client.call("author_submitAndWatchExtrinsic", on_wire(extrinsic))
            assert await client.told(watch) == "ready"
            one.node.pool.submit(extrinsic)
            await one.blocks(2)
            await world.take_chain(one)
            first = (await client.told(watch))["inBlock"]
            await other.blocks(1)
            other.node.pool.submit(extrinsic)
            await other.blocks(4)
            await world.take_chain(other)
            second = (await client.told(watch))["inBlock"]
            assert second != first
            assert (
                on_wire(extrinsic)
                in (await client.call("chain_getBlock", second))["block"]["extrinsics"]
            )
            finalize(chain.best_hash, None)
            assert await client.told(watch) == {"finalized": second}


async def test_a_transaction_whose_place_another_takes_is_usurped(
    autojump_clock: MockClock,
) -> None:
    async with serving() as maker, serving(role=Role.FULL) as world, world.client() as client:
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(remark(world, 0)))
        newer = await client.call("transactionWatch_v1_submitAndWatch", on_wire(remark(world, 1)))
        better = [remark(world, nonce, b"better", tip=10**12) for nonce in (0, 1)]
        for extrinsic in better:
            await client.call("author_submitExtrinsic", on_wire(extrinsic))
        await maker.blocks(1)
        await world.take_chain(maker)
        told = [(await client.note())["params"] for _ in range(4)]
        assert [one["result"] for one in told if one["subscription"] == watch] == [
            "ready",
            {"usurped": hex_name(better[0])},
        ]
        assert [one["result"] for one in told if one["subscription"] == newer] == [
            {"event": "validated"},
            {"event": "invalid", "error": "another transaction has taken its place"},
        ]


async def test_a_block_that_does_not_become_final_ends_the_watch(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (author, transaction):
        monkeypatch.setattr(module, "FINALITY_BLOCKS", 3)
    monkeypatch.setattr(watching, "SEARCHED_BLOCKS", 2)
    async with serving() as world, world.client() as client:
        world.node.chain.finalize = lambda block, justification: None  # type: ignore[method-assign]
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(remark(world, 0)))
        assert await client.told(watch) == "ready"
        included = (await client.told(watch))["inBlock"]
        assert await client.told(watch) == {"finalityTimeout": included}
        newer = await client.call("transactionWatch_v1_submitAndWatch", on_wire(remark(world, 1)))
        events = [(await client.told(newer))["event"] for _ in range(3)]
        assert events == ["validated", "bestChainBlockIncluded", "dropped"]


async def test_what_the_operator_takes_out_stays_out(autojump_clock: MockClock) -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        one, two, three = (on_wire(remark(world, nonce)) for nonce in range(3))
        for each in (one, two):
            await client.call("author_submitExtrinsic", each)
        named = [{"hash": hex_name(remark(world, 0))}, {"extrinsic": two}, {"extrinsic": three}]
        removed = await client.call("author_removeExtrinsic", named)
        assert removed == [hex_name(remark(world, nonce)) for nonce in range(2)]
        assert await client.call("author_pendingExtrinsics") == []
        error = await client.refused("author_submitExtrinsic", one)
        assert (error["code"], error["message"]) == (1012, "Transaction is temporarily banned")
        both = {"hash": NOTHING, "extrinsic": one}
        for wrong in ([one], [{"hash": one}], [{"name": one}], [both], one):
            assert (await client.refused("author_removeExtrinsic", wrong))["code"] == -32602


async def test_a_transaction_that_waits_for_another_is_told_when_it_is_ready(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(remark(world, 1)))
        assert await client.told(watch) == "future"
        await client.call("author_submitExtrinsic", on_wire(remark(world, 0)))
        told = await client.told(watch)
        if told == "ready":
            told = await client.told(watch)
        assert told["inBlock"]
        assert (await client.told(watch))["finalized"]


async def test_a_transaction_that_leaves_the_pool_is_told_of_as_dropped(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        one = remark(world, 1)
        watch = await client.call("author_submitAndWatchExtrinsic", on_wire(one))
        assert await client.told(watch) == "future"
        world.node.pool.remove(transaction_hash(one))
        assert await client.told(watch) in ("dropped", "invalid")


async def test_in_the_newer_words(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        submit = "transactionWatch_v1_submitAndWatch"
        watch = await client.call(submit, on_wire(remark(world, 0)))
        assert await client.told(watch) == {"event": "validated"}
        included = await client.told(watch)
        assert included["event"] == "bestChainBlockIncluded"
        final = await client.told(watch)
        assert final == {"event": "finalized", "block": included["block"]}
        body = await client.call("archive_v1_body", final["block"]["hash"])
        assert body[final["block"]["index"]] == on_wire(remark(world, 0))
        watch = await client.call(submit, on_wire(remark(world, 0)))
        assert (await client.told(watch))["event"] == "invalid", "its nonce is used"


async def test_a_broadcast_is_told_again_until_it_is_stopped(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        one = remark(world, 1)
        operation = await client.call("transaction_v1_broadcast", on_wire(one))
        await world.blocks(1)
        assert transaction_hash(one) in world.node.pool
        world.node.pool.remove(transaction_hash(one))
        await world.blocks(2)
        assert transaction_hash(one) in world.node.pool, "it was told again"
        assert await client.call("transaction_v1_stop", operation) is None
        world.node.pool.remove(transaction_hash(one))
        await world.blocks(2)
        assert transaction_hash(one) not in world.node.pool
        assert (await client.refused("transaction_v1_stop", operation))["code"] == -32602


async def test_broadcasts_have_a_limit_and_end_with_the_connection(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        async with world.client() as client:
            started = [
                await client.call("transaction_v1_broadcast", on_wire(remark(world, nonce)))
                for nonce in range(5, 5 + MAX_BROADCASTS)
            ]
            assert len(set(started)) == MAX_BROADCASTS
            last = on_wire(remark(world, 99))
            assert await client.call("transaction_v1_broadcast", last) is None
            await client.call("transaction_v1_stop", started[0])
            again = await client.call("transaction_v1_broadcast", "0x04")
            await world.blocks(1)
            assert (await client.refused("transaction_v1_stop", again))["code"] == -32602
            await world.blocks(1)
        for nonce in range(5, 5 + MAX_BROADCASTS):
            world.node.pool.remove(transaction_hash(remark(world, nonce)))
        await world.blocks(2)
        assert not len(world.node.pool)


async def test_what_a_transaction_costs_is_what_it_is_charged(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        one = on_wire(remark(world, 0))
        info = await client.call("payment_queryInfo", one)
        assert info["class"] == "normal"
        details = (await client.call("payment_queryFeeDetails", one))["inclusionFee"]
        assert sum(int(part, 16) for part in details.values()) == int(info["partialFee"])
        alice = account_of("//Alice")
        before = MODULES.system.account.get(world.served.state(None), alice).data.free
        await client.call("author_submitExtrinsic", one)
        await world.blocks(3)
        after = MODULES.system.account.get(world.served.state(None), alice).data.free
        assert before - after == int(info["partialFee"]) > 0
        assert (await client.refused("payment_queryInfo", "0x0400"))["code"] == 1001
