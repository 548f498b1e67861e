"""What a node's operator asks: its keys, whom it wants as peers, when it may author."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from parahost.consensus.babe.digests import pre_digest_of
from parahost.crypto import ed25519, sr25519
from parahost.node.role import Role
from parahost.ports import KeysNotKept, KeyType
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.consensus import PrimaryPreDigest
from parahost.primitives.scale import decode, encode
from parahost.primitives.ss58 import ss58_encode
from parahost.rpc.methods import state
from parahost.rpc.server import AllowedMethods, RpcOptions
from parahost.runtime.development import session_uris
from parahost.runtime.system import System
from tests.memory_network import identity_of
from tests.rpc.world import GENESIS, NAME, Client, serving

NOWHERE = "0x" + "77" * 32


def hex_of(data: bytes) -> str:
    return f"0x{data.hex()}"


# Keys


async def test_a_key_is_inserted_and_signs() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        keystore = world.node.ports.keystore
        for purpose, kind, public in (
            ("babe", KeyType.BABE, sr25519.Keypair.from_uri("//New").public),
            ("gran", KeyType.GRANDPA, ed25519.Keypair.from_uri("//New").public),
        ):
            assert await client.call("author_hasKey", public.hex(), purpose) is False
            for _ in range(2):
                told = await client.call("author_insertKey", purpose, "//New", hex_of(public))
                assert told is None
            assert await client.call("author_hasKey", hex_of(public), purpose) is True
            assert list(keystore.public_keys(kind)).count(public) == 1
            assert len(keystore.sign(kind, public, b"payload", [])) == 64


async def test_a_key_that_is_none_is_refused_and_the_secret_is_not_repeated() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        public = sr25519.Keypair.from_uri("//New").public
        before = list(world.node.ports.keystore.public_keys(KeyType.BABE))
        for purpose, uri, told, code in (
            ("babe", "//Other", public, -32602),
            ("babe", "no such phrase", public, -32602),
            ("babe", "//New", b"", -32602),
            ("none", "//New", public, -32602),
            ("imonline", "//New", public, 1040),
        ):
            error = await client.refused("author_insertKey", purpose, uri, hex_of(told))
            assert error["code"] == code
            assert uri not in str(error)
        assert list(world.node.ports.keystore.public_keys(KeyType.BABE)) == before
        assert await client.call("author_hasKey", hex_of(public), "none") is False
        assert (await client.refused("author_hasKey", hex_of(public), ""))["code"] == 1040


async def generated(client: Client, seed: bytes | None) -> bytes:
    """Session keys that the runtime has made."""
    asked = "SessionKeys_generate_session_keys", hex_of(encode(seed, bytes | None))
    keys: bytes = decode(bytes, bytes.fromhex((await client.call("state_call", *asked))[2:]))
    return keys


async def test_new_session_keys_are_in_the_key_store_and_known_by_their_form() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        made = [bytes.fromhex((await client.call("author_rotateKeys"))[2:]) for _ in range(2)]
        made += [await generated(client, None), await generated(client, b"//Seed")]
        assert len(set(made)) == 4
        for keys in made:
            assert await client.call("author_hasSessionKeys", hex_of(keys)) is True
            grandpa, babe, para = keys[:32], keys[32:64], keys[64:]
            assert await client.call("author_hasKey", grandpa.hex(), "gran") is True
            assert await client.call("author_hasKey", babe.hex(), "babe") is True
            arguments = hex_of(encode(keys))
            told = await client.call("state_call", "SessionKeys_decode_session_keys", arguments)
            assert told == hex_of(b"\x01\x0c\x80%bgran\x80%bbabe\x80%bpara" % (grandpa, babe, para))
        assert made[3][32:64] == sr25519.Keypair.from_uri("//Seed").public
        other = hex_of(bytes(96))
        assert await client.call("author_hasSessionKeys", other) is False
        assert (await client.refused("author_hasSessionKeys", "0x00"))["code"] == 1040
        no_keys = await client.call("state_call", "SessionKeys_decode_session_keys", "0x0400")
        assert no_keys == "0x00"
        for wrong in (b"\xff", b"no phrase"):
            asked = "SessionKeys_generate_session_keys", hex_of(encode(wrong, bytes | None))
            assert (await client.refused("state_call", *asked))["code"] == 4003


async def test_only_who_may_change_the_key_store_makes_session_keys() -> None:
    asked = "SessionKeys_generate_session_keys", "0x00"
    async with serving(RpcOptions(methods=AllowedMethods.SAFE), role=Role.FULL) as world:
        before = list(world.node.ports.keystore.public_keys(KeyType.BABE))
        async with world.client() as client:
            assert (await client.refused("state_call", *asked))["code"] == 4003
            assert (await client.refused("author_rotateKeys"))["code"] == -32601
        assert list(world.node.ports.keystore.public_keys(KeyType.BABE)) == before
    async with serving(role=Role.FULL) as world, world.client() as client:
        genesis = hex_of(world.node.chain.genesis_hash)
        answer = await client.call("archive_v1_call", genesis, *asked)
        assert answer["success"] is False
        assert list(world.node.ports.keystore.public_keys(KeyType.BABE)) == before


async def test_what_the_store_cannot_keep_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(key_type: KeyType, uri: str) -> bytes:
        raise KeysNotKept("the disk is full")

    async with serving(role=Role.FULL) as world, world.client() as client:
        monkeypatch.setattr(world.node.ports.keystore, "insert", full)
        public = hex_of(sr25519.Keypair.from_uri("//New").public)
        for method, arguments in (
            ("author_insertKey", ("babe", "//New", public)),
            ("author_rotateKeys", ()),
        ):
            error = await client.refused(method, *arguments)
            assert (error["code"], error["data"]) == (1040, "the disk is full")


# Authoring


async def test_the_slots_that_are_foretold_are_authored(autojump_clock: MockClock) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(1)
        chain = world.node.chain
        ((address, slots),) = (await client.call("babe_epochAuthorship")).items()
        (babe,) = world.node.ports.keystore.public_keys(KeyType.BABE)
        assert address == ss58_encode(babe)
        first = chain.slot(chain.best_hash)
        assert first is not None
        foretold = slots["primary"] + slots["secondary"] + slots["secondary_vrf"]
        assert sorted(foretold) == list(range(first, first + GENESIS.epoch_length))
        await world.blocks(20)
        for number in range(1, 20):
            block = chain.hash_of(BlockNumber(U32(number)))
            assert block is not None
            header, slot = chain.header(block), chain.slot(block)
            assert header is not None
            is_primary = isinstance(pre_digest_of(header), PrimaryPreDigest)
            assert (slot in slots["primary"]) is is_primary


async def test_a_node_without_keys_of_the_set_may_author_nothing() -> None:
    async with serving(role=Role.FULL, keys={}) as world, world.client() as client:
        assert await client.call("babe_epochAuthorship") == {}


async def test_who_has_not_voted_is_told(autojump_clock: MockClock) -> None:
    async with serving(role=Role.FULL, keys={}) as world, world.client() as client:
        voter = ed25519.Keypair.from_uri(session_uris(NAME)[KeyType.GRANDPA]).public
        missing = {"currentWeight": 0, "missing": [ss58_encode(voter)]}
        round_state = {
            "round": 1,
            "totalWeight": 1,
            "thresholdWeight": 1,
            "prevotes": missing,
            "precommits": missing,
        }
        told = await client.call("grandpa_roundState")
        assert told == {"setId": 0, "best": round_state, "background": []}
    async with serving() as world, world.client() as client:
        await world.blocks(3)
        told = await client.call("grandpa_roundState")
        assert told["best"]["round"] == world.node.grandpa.round > 1
        (before,) = told["background"]
        assert before["round"] == told["best"]["round"] - 1
        assert before["precommits"] == {"currentWeight": 1, "missing": []}


# Peers


async def test_peers_are_reserved_and_released() -> None:
    async with serving(role=Role.FULL) as world, world.client() as client:
        peer = identity_of("friend").peer
        address = f"/ip4/192.0.2.7/tcp/30333/p2p/{peer}"
        assert await client.call("system_reservedPeers") == []
        assert await client.call("system_addReservedPeer", address) is None
        assert await client.call("system_reservedPeers") == [peer]
        assert await client.call("system_removeReservedPeer", peer) is None
        assert await client.call("system_removeReservedPeer", peer) is None
        assert await client.call("system_reservedPeers") == []
        for wrong in ("/ip4/192.0.2.7/tcp/30333", "/ip4/192.0.2.7", peer, ""):
            assert (await client.refused("system_addReservedPeer", wrong))["code"] == 2002
        assert (await client.refused("system_removeReservedPeer", address))["code"] == 2002


# State over a range


async def test_what_has_changed_block_by_block(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as world, world.client() as client:
        await world.blocks(2)
        chain = world.node.chain
        begin, first = hex_of(chain.best_hash), chain.best.number
        number, nothing = hex_of(System.number.prefix), "0x3a00"
        await world.blocks(3)
        end = hex_of(chain.best_hash)
        told = await client.call("state_queryStorage", [number, nothing], begin, end)
        assert [one["changes"] for one in told] == [
            [[number, hex_of(encode(first, BlockNumber))], [nothing, None]],
            *([[number, hex_of(encode(at, BlockNumber))]] for at in range(first + 1, first + 4)),
        ]
        assert [one["block"] for one in told] == [
            await client.call("chain_getBlockHash", at) for at in range(first, first + 4)
        ]
        unchanged = await client.call("state_queryStorage", [nothing], begin, end)
        assert unchanged == [{"block": begin, "changes": [[nothing, None]]}]
        assert len(await client.call("state_queryStorage", [number], end, end)) == 1
        for wrong, code in (((end, begin), 4001), ((begin, NOWHERE), 4003), ((), -32602)):
            assert (await client.refused("state_queryStorage", [number], *wrong))["code"] == code
        monkeypatch.setattr(state, "MAX_QUERIED_BLOCKS", 3)
        assert (await client.refused("state_queryStorage", [number], begin, end))["code"] == 4001


async def test_what_is_for_the_operator_is_unsafe() -> None:
    """As at Substrate's nodes."""
    safe = RpcOptions(methods=AllowedMethods.SAFE)
    async with serving(safe, role=Role.FULL) as world, world.client() as client:
        for method in (
            "author_hasKey",
            "author_hasSessionKeys",
            "author_insertKey",
            "author_removeExtrinsic",
            "author_rotateKeys",
            "babe_epochAuthorship",
            "state_queryStorage",
            "system_addReservedPeer",
            "system_peers",
            "system_removeReservedPeer",
        ):
            assert await client.refused(method) == {
                "code": -32601,
                "message": "RPC call is unsafe to be called externally",
            }
        assert await client.call("system_reservedPeers") == []
