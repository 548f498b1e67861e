"""libp2p's noise: who proves what, and what garbage does."""

from __future__ import annotations

import libp2p
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from multiaddr import Multiaddr

from parahost.network.errors import PeerError
from parahost.network.identity import Identity
from parahost.network.noise import MAX_MESSAGE, TAG, Noise
from parahost.network.secure import BufferedSocket, SecureChannel, secure
from parahost.primitives.basic import PeerId

ALICE, BOB = Identity(bytes(32)), Identity(bytes((1,)) * 32)


def shaken() -> tuple[Noise, Noise, PeerId, PeerId]:
    """Both ends after a handshake, and whom each met."""
    alice, bob = Noise(ALICE, initiator=True), Noise(BOB, initiator=False)
    bob.read_greeting(alice.greeting())
    met_by_alice = alice.read_proof(bob.proof())
    met_by_bob = bob.read_proof(alice.proof())
    return alice, bob, met_by_alice, met_by_bob


def test_each_learns_who_the_other_is() -> None:
    _, _, met_by_alice, met_by_bob = shaken()
    assert (met_by_alice, met_by_bob) == (BOB.peer, ALICE.peer)


@pytest.mark.parametrize("size", [0, 1, MAX_MESSAGE - TAG])
def test_what_one_encrypts_the_other_reads_once(size: int) -> None:
    alice, bob, _, _ = shaken()
    for _ in range(2):
        message = alice.encrypt(bytes(size))
        assert len(message) == size + TAG
        assert bob.decrypt(message) == bytes(size)
    with pytest.raises(PeerError):
        bob.decrypt(message)


@given(st.binary(max_size=200))
def test_garbage_is_no_greeting(message: bytes) -> None:
    bob = Noise(BOB, initiator=False)
    try:
        bob.read_greeting(message)
    except PeerError:
        return
    assert len(message) >= 32, "a greeting is a key at least"


@given(st.data())
def test_a_proof_that_was_tampered_with(data: st.DataObject) -> None:
    alice, bob = Noise(ALICE, initiator=True), Noise(BOB, initiator=False)
    bob.read_greeting(alice.greeting())
    proof = bytearray(bob.proof())
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PeerError):
        alice.read_proof(bytes(proof[: data.draw(st.sampled_from([len(proof), at]))]))


SMALL_ORDER = (
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)
"""Points of Curve25519 with which every key shares the same secret (RFC 7748, section 6.1)."""


@pytest.mark.parametrize("key", SMALL_ORDER, ids=bytes.hex)
def test_a_key_that_shares_no_secret_is_refused(key: bytes) -> None:
    """A greeting is a bare key: that it is of no use shows when an answer is made."""
    bob = Noise(BOB, initiator=False)
    with pytest.raises(PeerError, match="no secret"):
        bob.read_greeting(key)
        bob.proof()


class Liar(Identity):
    """Claims an identity, and signs as somebody else, or something else."""

    def __init__(self, seed: bytes, prefix: bytes = b"", suffix: bytes = b"") -> None:
        super().__init__(seed)
        self._prefix, self._suffix = prefix, suffix

    def sign(self, message: bytes) -> bytes:
        return super().sign(self._prefix + message + self._suffix)


@pytest.mark.parametrize("liar", [Liar(bytes(32), prefix=b"x"), Liar(bytes(32), suffix=b"x")])
def test_a_signature_for_something_else_proves_nothing(liar: Liar) -> None:
    alice, bob = Noise(liar, initiator=True), Noise(BOB, initiator=False)
    bob.read_greeting(alice.greeting())
    alice.read_proof(bob.proof())
    with pytest.raises(PeerError, match="does not prove its identity"):
        bob.read_proof(alice.proof())


def test_nobody_is_who_another_is() -> None:
    impostor = Liar(bytes((9,)) * 32)
    impostor.public = ALICE.public
    alice, bob = Noise(impostor, initiator=True), Noise(BOB, initiator=False)
    bob.read_greeting(alice.greeting())
    alice.read_proof(bob.proof())
    with pytest.raises(PeerError, match="does not prove its identity"):
        bob.read_proof(alice.proof())


@given(st.binary(max_size=120))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    """The two fields may stand among others; what is no protobuf is refused like a bad proof."""
    alice, bob = Noise(ALICE, initiator=True), Noise(BOB, initiator=False)
    bob.read_greeting(alice.greeting())
    message = bytes(bob._noise.write_message(payload))
    with pytest.raises(PeerError):
        alice.read_proof(message)


async def test_a_message_is_no_longer_than_it_may_be() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    socket, sender = BufferedSocket(ours), BufferedSocket(theirs)
    await sender.send_message(bytes(4096))
    assert await socket.receive_message(4096) == bytes(4096)
    await sender.send_message(bytes(4097))
    with pytest.raises(PeerError, match="at most 4096"):
        await socket.receive_message(4096)


async def test_a_message_that_carries_nothing_ends_the_channel() -> None:
    """Any number of them could come before the next turn of another task."""
    alice, bob, _, _ = shaken()
    ours, theirs = trio.testing.memory_stream_pair()
    channel = SecureChannel(BufferedSocket(ours), bob, ALICE.peer, initiator=False)
    sender = BufferedSocket(theirs)
    await sender.send_message(alice.encrypt(b"something"))
    assert await channel.receive() == b"something"
    await sender.send_message(alice.encrypt(b""))
    with pytest.raises(PeerError, match="carries nothing"):
        await channel.receive()


async def test_we_dial_a_host_of_another_implementation() -> None:
    """py-libp2p answers our noise, and is who it should be; nobody else is taken for it."""
    host = libp2p.new_host(key_pair=create_new_key_pair(bytes((7,)) * 32))
    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        port = int(host.get_addrs()[0].value_for_protocol("tcp"))
        peer = PeerId(host.get_id().to_base58())
        with trio.fail_after(20):
            channel = await secure(await trio.open_tcp_stream("127.0.0.1", port), ALICE, peer)
            assert channel.peer == peer
            await channel.aclose()
            with pytest.raises(PeerError, match="instead of"):
                await secure(await trio.open_tcp_stream("127.0.0.1", port), ALICE, BOB.peer)
