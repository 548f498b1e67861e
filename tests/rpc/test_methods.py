"""The methods that clients of Substrate have used for years, as those clients call them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import pytest
from trio.testing import MockClock

from parahost.node.role import Role
from parahost.primitives.basic import H256, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.scale import decode
from parahost.rpc.limits import MAX_KEYS
from parahost.rpc.methods import all_methods
from parahost.rpc.recent import RecentBlocks
from parahost.runtime.read_only import MODULES
from parahost.trie import read_proof
from tests.rpc.test_transactions import remark
from tests.rpc.world import SPEC, STATE, Client, serving, until

NOBODY = "0x" + "99" * 32
BALANCES = MODULES.system.account.prefix
"""Under which all accounts are."""


def bytes_of(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


async def test_a_header_hashes_to_its_name_and_leads_to_its_parent(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(3)
        for number in range(3, 0, -1):
            name = await client.call("chain_getBlockHash", number)
            form = await client.call("chain_getHeader", name)
            logs = [bytes_of(item) for item in form["digest"]["logs"]]
            encoded = (
                bytes_of(form["parentHash"])
                + bytes([number << 2])
                + bytes_of(form["stateRoot"])
                + bytes_of(form["extrinsicsRoot"])
                + bytes([len(logs) << 2])
                + b"".join(logs)
            )
            assert blake2_256(encoded) == bytes_of(name)
            assert int(form["number"], 16) == number == decode(Header, encoded).number
            assert form["parentHash"] == await client.call("chain_getBlockHash", number - 1)


async def test_who_was_told_of_a_head_may_ask_about_it_though_finality_has_left_its_fork(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parahost.rpc.recent.KEPT_BLOCKS", 7)
    async with serving() as one, serving() as other, serving(role=Role.FULL, keys={}) as world:
        one.node.pool.submit(remark(world, 0))  # else both would make the same blocks
        chain = world.node.chain
        async with world.client() as client:
            await one.blocks(2)
            await world.take_chain(one)
            left = await client.call("chain_getHead")
            account = f"0x{BALANCES.hex()}"
            questions: list[tuple[Any, ...]] = [
                ("chain_getHeader", left),
                ("chain_getBlock", left),
                ("state_getRuntimeVersion", left),
                ("state_getKeysPaged", account, 10, None, left),
                ("state_call", "Core_version", "0x", left),
                ("archive_v1_header", left),
                ("archive_v1_body", left),
                ("archive_v1_call", left, "Core_version", "0x"),
            ]
            told = [await client.call(*question) for question in questions]
            assert None not in told
            await other.blocks(12)
            await world.take_chain(other, 5)
            chain.finalize(chain.best_hash, None)
            assert chain.header(Hash(H256(bytes_of(left)))) is None
            assert [await client.call(*question) for question in questions] == told
            await world.take_chain(other)
            assert await client.call("chain_getHeader", left) is None
            assert await client.call("chain_getBlock", left) is None
            assert await client.call("archive_v1_call", left, "Core_version", "0x") is None
            why = await client.refused("state_getRuntimeVersion", left)
            assert why["message"].endswith(f"not found in the database: {left}")


async def test_what_is_final_is_held_by_the_chain_alone(autojump_clock: MockClock) -> None:
    async with serving() as world:
        recent = RecentBlocks(world.node)
        await world.blocks(1)
        first = world.node.chain.best_hash
        assert recent.get(first) is not None
        await until(lambda: world.node.chain.is_final(first))
        assert recent.get(first) is None


async def test_a_best_block_that_was_there_before_is_told(autojump_clock: MockClock) -> None:
    """Finality leaves the fork that was best, and no block comes."""
    async with serving() as one, serving() as other, serving(role=Role.FULL, keys={}) as world:
        one.node.pool.submit(remark(world, 0))  # else both would make the same blocks
        chain = world.node.chain
        await one.blocks(2)
        await other.blocks(2)
        await world.take_chain(one, 2)
        first = chain.best_hash
        await world.take_chain(other, 2)
        (second,) = set(chain.leaves()) - {chain.best_hash}
        accounts = [f"0x{key.hex()}" for key in STATE.keys(BALANCES)]
        async with world.client() as client, world.client() as watcher:
            heads = await client.call("chain_subscribeNewHeads")
            best = await client.told(heads)
            values = await watcher.call("state_subscribeStorage", accounts)
            value = await watcher.told(values)
            chain.finalize(second, None)
            assert chain.best_hash == second
            assert (await client.told(heads))["stateRoot"] != best["stateRoot"]
            assert (await watcher.told(values))["changes"] != value["changes"]
            assert await client.call("chain_getHead") == f"0x{second.hex()}" != f"0x{first.hex()}"


async def test_large_blocks_are_held_as_far_as_there_is_room(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An author may make many of them for one slot; the chain forgets those that do not win."""
    async with serving() as world:
        chain = world.node.chain

        def size(*blocks: Hash) -> int:
            return sum(len(extrinsic) for block in blocks for extrinsic in chain.body(block) or ())

        monkeypatch.setattr(chain, "finalize", lambda block, justification: None)
        recent, made = RecentBlocks(world.node), []
        for _ in range(4):
            await world.blocks(1)
            made.append(chain.best_hash)
        room = size(*made[1:])
        monkeypatch.setattr("parahost.rpc.recent.KEPT_BYTES", room)
        await world.blocks(1)
        made.append(chain.best_hash)
        held = [block for block in made if recent.get(block) is not None]
        assert held and held == made[-len(held) :]
        assert size(*held) <= room < size(*made[-len(held) - 1 :])


async def test_block_hashes_by_number_in_all_the_ways_that_clients_ask(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(3)
        genesis = f"0x{world.node.chain.genesis_hash.hex()}"
        first = await client.call("chain_getBlockHash", 1)
        assert await client.call("chain_getBlockHash", 0) == genesis
        assert await client.call("chain_getBlockHash", "0x1") == first
        assert await client.call("chain_getBlockHash", [0, "0x1", 99]) == [genesis, first, None]
        assert await client.call("chain_getBlockHash", 99) is None
        best = await client.call("chain_getHead")
        number = int((await client.call("chain_getHeader"))["number"], 16)
        assert await client.call("chain_getBlockHash", number) == best
        assert await client.call("chain_getBlockHash") == best
        assert (await client.refused("chain_getBlockHash", -1))["code"] == -32602
        assert (await client.refused("chain_getBlockHash", 1 << 32))["code"] == -32602
        too_many = await client.refused("chain_getBlockHash", [0] * (MAX_KEYS + 1))
        assert too_many["code"] == 4002


async def test_a_block_has_its_extrinsics_with_their_lengths(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(2)
        hash = world.node.chain.hash_of(world.node.chain.best.number)
        block = await client.call("chain_getBlock")
        body = world.node.chain.body(hash) if hash else None
        assert body is not None
        assert [decode(bytes, bytes_of(one)) for one in block["block"]["extrinsics"]] == list(body)
        assert len(body) >= 2, "the inherents"
        assert block["block"]["header"] == await client.call("chain_getHeader")
        assert await client.call("chain_getBlock", NOBODY) is None
        assert await client.call("chain_getHeader", NOBODY) is None


async def test_a_final_block_comes_with_its_justification(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        while not world.node.chain.finalized.number:
            await world.blocks(1)
        final = await client.call("chain_getFinalizedHead")
        assert final == await client.call("chain_getFinalisedHead")
        (proof,) = (await client.call("chain_getBlock", final))["justifications"]
        assert bytes(proof[0]) == b"FRNK"
        stored = world.node.chain.justification(world.node.chain.finalized_hash)
        assert bytes(proof[1]) == stored


async def test_storage_is_read_by_key_now_and_then(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(3)
        key = f"0x{MODULES.timestamp.now.prefix.hex()}"
        one, two = [await client.call("chain_getBlockHash", number) for number in (1, 2)]
        values = [await client.call("state_getStorage", key, at) for at in (one, two)]
        times = [int.from_bytes(bytes_of(value), "little") for value in values]
        assert times[1] - times[0] == 1000
        assert await client.call("state_getStorageAt", key, one) == values[0]
        assert await client.call("state_getStorage", key[2:], one) == values[0], "without 0x"
        hashed = await client.call("state_getStorageHash", key, one)
        assert hashed == f"0x{blake2_256(bytes_of(values[0])).hex()}"
        assert await client.call("state_getStorageSize", key, one) == 8
        for method in ("state_getStorage", "state_getStorageHash", "state_getStorageSize"):
            assert await client.call(method, "0x00", one) is None
        (changes,) = await client.call("state_queryStorageAt", [key, "0x00"], one)
        assert changes == {"block": one, "changes": [[key, values[0]], ["0x00", None]]}
        (now,) = await client.call("state_queryStorageAt", [key])
        assert now["block"] == await client.call("chain_getHead")


async def test_keys_come_in_pages() -> None:
    async with serving() as world, world.client() as client:
        prefix = f"0x{BALANCES.hex()}"
        every = [f"0x{key.hex()}" for key in STATE.keys(BALANCES)]
        assert len(every) > 5
        paged: list[str] = []
        while page := await client.call(
            "state_getKeysPaged", prefix, 2, paged[-1] if paged else None
        ):
            assert len(page) <= 2
            paged += page
        assert paged == every
        assert await client.call("state_getKeys", prefix) == every
        pairs = await client.call("state_getPairs", prefix)
        assert [(bytes_of(key), bytes_of(value)) for key, value in pairs] == list(
            STATE.items_raw(BALANCES)
        )
        assert await client.call("state_getKeysPaged", prefix, 0) == []
        assert await client.call("state_getKeysPaged", prefix, 9, "0xff") == []
        too_many = await client.refused("state_getKeysPaged", prefix, MAX_KEYS + 1)
        assert too_many["code"] == 4002


async def test_a_read_proof_proves_what_is_there_and_what_is_not() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        key = next(iter(STATE.keys(BALANCES)))
        asked = [f"0x{key.hex()}", "0x0102"]
        proof = await client.call("state_getReadProof", asked)
        assert proof["at"] == f"0x{world.node.chain.genesis_hash.hex()}"
        nodes = [bytes_of(node) for node in proof["proof"]]
        assert read_proof(STATE.root, nodes, key) == STATE.get_raw(key)
        assert walked(STATE.root, nodes, key) == STATE.get_raw(key)
        assert read_proof(STATE.root, nodes, b"\x01\x02") is None


def walked(root: bytes, nodes: list[bytes], key: bytes) -> bytes | None:
    """What is under a key by the Polkadot specification's trie, read without our code: from the
    root's node down, by the hash of each."""
    by_hash = {blake2b(node, digest_size=32).digest(): node for node in nodes}
    digits = [digit for byte in key for digit in (byte >> 4, byte & 15)]
    node = by_hash[root]
    while True:
        kind, length_bits = node[0] >> 6, 6
        hashed = kind == 0
        if hashed:
            kind, length_bits = (1, 5) if node[0] & 0x20 else (3, 4)
        length, at = node[0] & ((1 << length_bits) - 1), 1
        if length == (1 << length_bits) - 1:
            while True:
                length, at = length + node[at], at + 1
                if node[at - 1] != 255:
                    break
        size = (length + 1) // 2
        partial = [digit for byte in node[at : at + size] for digit in (byte >> 4, byte & 15)]
        partial, at = partial[length % 2 :], at + size
        if digits[:length] != partial:
            return None
        digits = digits[length:]
        is_branch = kind in (2, 3) and not (hashed and kind == 1)
        bitmap = 0
        if is_branch:
            bitmap, at = int.from_bytes(node[at : at + 2], "little"), at + 2
        has_value = kind in (1, 3)
        value: bytes | None = None
        if has_value and hashed:
            value, at = by_hash[node[at : at + 32]], at + 32
        elif has_value:
            value, at = scale_bytes(node, at)
        if not digits:
            return value
        for child in range(16):
            if not bitmap >> child & 1:
                continue
            reference, at = scale_bytes(node, at)
            if child == digits[0]:
                node = by_hash[reference] if len(reference) == 32 else reference
                break
        else:
            return None
        digits = digits[1:]


def scale_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes with their compact length before them, and where they end."""
    mode = data[at] & 3
    width = 1 << mode
    length = int.from_bytes(data[at : at + width], "little") >> 2
    return data[at + width : at + width + length], at + width + length


async def test_the_runtime_is_asked_by_name() -> None:
    async with serving() as world, world.client() as client:
        account = next(iter(STATE.keys(BALANCES)))[-32:].hex()
        nonce = await client.call("state_call", "AccountNonceApi_account_nonce", account)
        assert nonce == "0x00000000"
        metadata = bytes_of(await client.call("state_getMetadata"))
        assert metadata[:5] == b"meta\x0e"
        for version, argument in ((14, "0x0e000000"), (15, "0f000000"), (16, "0x10000000")):
            answer = await client.call("state_call", "Metadata_metadata_at_version", argument)
            opaque = decode(bytes, bytes_of(answer)[1:])
            assert (bytes_of(answer)[0], opaque[4]) == (1, version)
        versions = await client.call("state_call", "Metadata_metadata_versions", "")
        assert versions == "0x0c0e0000000f00000010000000"


async def test_errors_have_the_words_that_clients_compare() -> None:
    async with serving() as world, world.client() as client:
        assert await client.refused("state_call", "Nothing_at_all", "0x") == {
            "code": 4003,
            "message": "Client error: Execution failed: Other: "
            "Exported method Nothing_at_all is not found",
        }
        wrong = await client.refused("state_call", "AccountNonceApi_account_nonce", "0x00")
        assert wrong["code"] == 4003
        assert wrong["message"].startswith("Client error: Execution failed: Other: ")
        unknown = await client.refused("state_getStorage", "0x00", NOBODY)
        assert unknown["message"] == (
            f"Client error: UnknownBlock: Header was not found in the database: {NOBODY}"
        )


async def test_the_node_and_its_chain_are_described() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        described = {
            "system_chain": "Test",
            "system_chainType": "Local",
            "system_name": "parahost",
            "system_properties": dict(SPEC.properties),
            "system_nodeRoles": ["Full"],
            "system_health": {"peers": 0, "isSyncing": False, "shouldHavePeers": True},
            "system_syncState": {"startingBlock": 0, "currentBlock": 0, "highestBlock": 0},
            "system_localPeerId": world.node.ports.network.local_peer,
            "system_peers": [],
        }
        assert {method: await client.call(method) for method in described} == described
        version = await client.call("state_getRuntimeVersion")
        assert version["specName"] == "parahost"
        assert all(len(bytes_of(id_)) == 8 for id_, _ in version["apis"])
        assert version == await client.call("chain_getRuntimeVersion")
    async with serving() as world, world.client() as client:
        assert await client.call("system_nodeRoles") == ["Authority"]


async def test_rpc_methods_lists_all_names() -> None:
    async with serving() as world, world.client() as client:
        methods = (await client.call("rpc_methods"))["methods"]
        assert methods == all_methods().names
        for name in ("chain_subscribeNewHead", "chain_unsubscribeNewHeads", "state_getStorageAt"):
            assert name in methods


@pytest.mark.parametrize("method", all_methods().methods, ids=lambda method: str(method.name))
def test_each_method_is_documented(method: Any) -> None:
    assert method.documentation.endswith(".")


# Subscriptions


async def test_heads_are_told_without_a_gap(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(1)
        for subscribe, notifies, end in (
            ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads"),
            ("chain_subscribeNewHead", "chain_newHead", "chain_unsubscribeNewHead"),
            ("chain_subscribeAllHeads", "chain_allHead", "chain_unsubscribeAllHeads"),
            (
                "chain_subscribeFinalizedHeads",
                "chain_finalizedHead",
                "chain_unsubscribeFinalizedHeads",
            ),
        ):
            subscription = await client.call(subscribe)
            numbers = []
            for _ in range(4):
                note = await client.note()
                assert note["method"] == notifies
                assert note["params"]["subscription"] == subscription
                numbers.append(int(note["params"]["result"]["number"], 16))
            assert numbers == list(range(numbers[0], numbers[0] + 4))
            assert await client.call(end, subscription) is True
            assert await client.call(end, subscription) is False
            assert await _silent_for(client, world.blocks, 2)


async def test_finalised_heads_have_no_gap(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        chain = world.node.chain
        subscription = await client.call("chain_subscribeFinalizedHeads")
        told = [int((await client.told(subscription))["number"], 16)]
        hold = chain.finalize
        chain.finalize = lambda block, justification: None  # type: ignore[method-assign]
        await world.blocks(5)
        chain.finalize = hold  # type: ignore[method-assign]
        chain.finalize(chain.best_hash, None)
        while told[-1] < chain.finalized.number:
            told.append(int((await client.told(subscription))["number"], 16))
        assert told == list(range(told[0], told[0] + len(told)))
        assert len(told) > 5


async def _silent_for(client: Client, blocks: Any, count: int) -> bool:
    await blocks(count)
    await client.call("system_chain")
    silent = not client.notes
    client.notes.clear()
    return silent


async def test_a_subscription_is_ended_by_its_own_methods_only(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        heads = await client.call("chain_subscribeNewHeads")
        assert await client.call("chain_unsubscribeFinalizedHeads", heads) is False
        assert await client.call("chain_unsubscribeNewHeads", 1) is False
        assert (await client.refused("chain_unsubscribeNewHeads"))["code"] == -32602
        assert await client.call("unsubscribe_newHead", heads) is True
        async with world.client() as other:
            theirs = await other.call("chain_subscribeNewHeads")
            assert await client.call("chain_unsubscribeNewHeads", theirs) is False


async def test_storage_is_told_when_it_changes(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(1)
        time, nothing = f"0x{MODULES.timestamp.now.prefix.hex()}", "0x00"
        subscription = await client.call("state_subscribeStorage", [time, nothing])
        first = await client.told(subscription)
        assert [key for key, _ in first["changes"]] == [time, nothing]
        second = await client.told(subscription)
        assert [key for key, _ in second["changes"]] == [time]
        assert second["changes"][0][1] == await client.call(
            "state_getStorage", time, second["block"]
        )
        assert first["block"] != second["block"]
        assert await client.call("state_unsubscribeStorage", subscription) is True


async def test_the_runtimes_version_is_told_once(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        subscription = await client.call("state_subscribeRuntimeVersion")
        assert await client.told(subscription) == await client.call("state_getRuntimeVersion")
        assert await _silent_for(client, world.blocks, 2)
        assert await client.call("state_unsubscribeRuntimeVersion", subscription) is True
