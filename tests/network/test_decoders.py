"""Whatever a stranger sends is decoded or refused with an error meant for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.network import multistream
from parahost.network.errors import PeerError, ProtocolViolation, Unsupported
from parahost.network.framing import frame, receive_frame
from parahost.network.handshake import (
    MAX_HELLO,
    MAX_TOLD,
    VERSION,
    Hello,
    decode_hello,
    decode_told,
    encode_told,
    listen_addresses,
)
from parahost.network.identity import Identity
from parahost.ports.network import ObservedRole
from parahost.primitives.addresses import AddressError, PeerAddress, network_of, parse_address
from parahost.primitives.basic import H256
from parahost.primitives.scale import encode

PEER = Identity(bytes(32)).peer
OTHER = Identity(bytes((1,)) * 32).peer
HELLO = Hello(
    VERSION,
    H256(bytes(range(32))),
    ObservedRole.COLLATOR,
    bytes(16),
    (f"/ip4/0.0.0.0/tcp/30333/p2p/{PEER}",),
)

addresses = st.builds(
    PeerAddress,
    kind=st.just("ip4"),
    host=st.ip_addresses(v=4).map(str),
    port=st.integers(0, 65_535),
    peer=st.sampled_from((None, PEER, OTHER)),
) | st.builds(
    PeerAddress,
    kind=st.sampled_from(("dns", "dns4", "dns6")),
    host=st.lists(st.text("ab-", min_size=1, max_size=20), min_size=1, max_size=3).map(".".join),
    port=st.integers(0, 65_535),
    peer=st.sampled_from((None, PEER, OTHER)),
)


class Bytes:
    """A stream that has so many bytes and then ends."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent = b""
        self.largest = 0

    async def receive_exactly(self, count: int) -> bytes:
        self.largest = max(self.largest, count)
        if count > len(self.data):
            raise PeerError("ended")
        result, self.data = self.data[:count], self.data[count:]
        return result

    async def send(self, data: bytes) -> None:
        self.sent += data


def step(coroutine: object) -> object:
    """Run what never really waits."""
    try:
        coroutine.send(None)  # type: ignore[attr-defined]
    except StopIteration as result:
        return result.value
    raise AssertionError("it waited")


@given(st.binary(max_size=300))
def test_hello_of_garbage(data: bytes) -> None:
    try:
        hello = decode_hello(data)
    except ProtocolViolation:
        return
    assert encode(hello) == data


@given(st.integers(0, 200), st.integers(0, 255))
def test_hello_with_a_changed_byte(position: int, value: int) -> None:
    data = bytearray(encode(HELLO))
    data[position % len(data)] = value
    try:
        hello = decode_hello(bytes(data))
    except ProtocolViolation:
        return
    assert encode(hello) == bytes(data)
    listen_addresses(hello, PEER, "10.0.0.1")


def test_hello_fits_its_bound() -> None:
    longest = f"/dns4/{'a' * 63}.{'b' * 63}.{'c' * 63}/tcp/65535/p2p/{PEER}"[:256]
    assert len(encode(replace(HELLO, listen=(longest,) * 8))) <= MAX_HELLO
    assert decode_hello(encode(HELLO)) == HELLO


def test_an_unspecified_listener_is_where_its_machine_was_seen() -> None:
    (address,) = listen_addresses(HELLO, PEER, "192.0.2.7")
    assert str(address) == f"/ip4/192.0.2.7/tcp/30333/p2p/{PEER}"
    assert listen_addresses(HELLO, OTHER, "192.0.2.7") == []


@given(st.lists(addresses.filter(lambda each: each.can_be_dialled and each.peer), max_size=200))
def test_lists_of_peers_round_trip(told: list[PeerAddress]) -> None:
    data = encode_told(told)
    assert len(data) <= MAX_TOLD
    assert decode_told(data) == told[:128]


@pytest.mark.parametrize(
    "odd",
    [
        f"/ip6/fe80::1%\u00e9/tcp/1/p2p/{PEER}",
        f"/ip6/2001:db8::1%eth0/tcp/1/p2p/{PEER}",
        f"/ip6/fe80::1/tcp/1/p2p/{PEER}",
        f"/ip6/2001:DB8::1/tcp/1/p2p/{PEER}",
        f"/ip6/::ffff:192.0.2.1/tcp/1/p2p/{PEER}",
        f"/ip6/::ffff:c000:201/tcp/1/p2p/{PEER}",
        f"/ip4/0.0.0.0/tcp/1/p2p/{PEER}",
        f"/ip4/192.0.2.1/tcp/0/p2p/{PEER}",
        f"/dns/Example.com/tcp/1/p2p/{PEER}",
        f"/dns/127.0.0.1/tcp/1/p2p/{PEER}",
        "/ip4/192.0.2.1/tcp/1",
        "nonsense",
    ],
)
def test_one_odd_address_makes_a_list_a_violation(odd: str) -> None:
    """Nobody who admits addresses as we do could tell it: peers pass on what they have read."""
    good = f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"
    assert [str(address) for address in decode_told(encode_texts(good))] == [good]
    with pytest.raises(ProtocolViolation):
        decode_told(encode_texts(good, odd))


def encode_texts(*texts: str) -> bytes:
    return encode(texts, tuple[str, ...])


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_limits_per_address_count_by_what_one_owner_has(host: str, network: str) -> None:
    assert network_of(host) == network


@given(st.binary(max_size=300))
def test_list_of_peers_of_garbage(data: bytes) -> None:
    try:
        told = decode_told(data)
    except ProtocolViolation:
        return
    assert all(parse_address(str(address)) == address for address in told)


@given(addresses)
def test_addresses_round_trip(address: PeerAddress) -> None:
    assert parse_address(str(address)) == address


@given(st.text(max_size=100) | st.text("/ip46dnstcp2.:0123456789", max_size=60))
def test_addresses_of_garbage(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:30333",
        "/ip4/127.0.0.1",
        "/ip4/256.0.0.1/tcp/1",
        "/ip4/::1/tcp/1",
        "/ip4/127.0.0.1/udp/1",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/tcp/-1",
        "/ip4/127.0.0.1/tcp/١",
        "/dns/a b/tcp/1",
        "/ip4/127.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        f"/ip4/127.0.0.1/tcp/1/p2p/{PEER}x",
        f"/ip4/127.0.0.1/tcp/1/p2p/{PEER[:-1]}",
        "/ip4/127.0.0.1/tcp/1/" + "p2p/" * 100,
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(st.binary(max_size=100), st.integers(0, 100))
def test_frames(payload: bytes, limit: int) -> None:
    stream = Bytes(frame(payload))
    if len(payload) <= limit:
        assert step(receive_frame(stream, limit)) == payload
    else:
        with pytest.raises(ProtocolViolation, match=f"{len(payload)} bytes"):
            step(receive_frame(stream, limit))
        assert stream.largest == 4


@given(st.binary(max_size=100))
def test_frames_of_garbage(data: bytes) -> None:
    stream = Bytes(data)
    with suppress(PeerError):
        step(receive_frame(stream, 50))
    assert stream.largest <= 50


@given(st.binary(max_size=400))
def test_negotiation_with_garbage(data: bytes) -> None:
    for negotiation in (multistream.answer(s := Bytes(data), {"/x"}), multistream.propose(s, "/x")):
        with pytest.raises(PeerError):
            step(negotiation)
        assert s.largest <= 256


def test_a_line_has_so_many_bytes_and_no_more() -> None:
    assert step(multistream.receive_line(Bytes(multistream.pack("x" * 255)))) == "x" * 255
    with pytest.raises(ProtocolViolation, match="line of 257 bytes"):
        step(multistream.receive_line(Bytes(multistream.pack("x" * 256))))


def test_who_proposes_without_end_is_refused() -> None:
    seven = multistream.pack(multistream.HEADER) + multistream.pack("/y") * 7
    assert step(multistream.answer(Bytes(seven + multistream.pack("/x")), {"/x"})) == "/x"
    unread = Bytes(seven + multistream.pack("/y") + multistream.pack("/x"))
    with pytest.raises(Unsupported):
        step(multistream.answer(unread, {"/x"}))
    assert unread.data == multistream.pack("/x")


@given(st.text("abc/\u00e9", min_size=1, max_size=120))
def test_negotiation(name: str) -> None:
    proposer = Bytes(multistream.pack(multistream.HEADER) + multistream.pack("na"))
    with pytest.raises(Unsupported):
        step(multistream.propose(proposer, name))
    answerer = Bytes(proposer.sent)
    if name.isascii():
        assert step(multistream.answer(answerer, {name})) == name
        step(multistream.propose(Bytes(answerer.sent), name))
