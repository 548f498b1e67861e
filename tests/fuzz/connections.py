"""What a connection's bytes meet before any message of the chain is read: noise, multistream,
yamux, framing, and what peers tell of themselves and each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import cast

import trio
import trio.testing

from parahost.network import multistream
from parahost.network.errors import PeerError, ProtocolViolation
from parahost.network.framing import frame, receive_frame
from parahost.network.handshake import (
    VERSION,
    Hello,
    decode_hello,
    decode_told,
    encode_told,
    listen_addresses,
)
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.noise import Noise, _parse_payload
from parahost.network.secure import SecureChannel
from parahost.network.yamux import INITIAL_WINDOW, WINDOW, Stream, Yamux
from parahost.ports.network import ObservedRole
from parahost.primitives.addresses import AddressError, parse_address, parse_told
from parahost.primitives.basic import H256, U32, PeerId
from parahost.primitives.scale import encode
from tests.fuzz.forms import damaged
from tests.fuzz.target import Broken, Target
from tests.network.test_decoders import Bytes, step
from tests.network.test_noise import SMALL_ORDER
from tests.network.test_yamux import header

MAX_MESSAGE = 300
OURS, THEIRS = Identity(bytes(32)), Identity(bytes((1,)) * 32)
PROTOCOLS = ("/noise", "/yamux/1.0.0", "/parahost/0/handshake/1")
HOSTS = ("ip4/192.0.2.7", "ip6/2001:db8::7", "ip6/::1", "dns/validator-1.example", "dns4/localhost")
_DATA, _WINDOW_UPDATE, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8


def targets() -> Iterator[Target]:
    """All of them."""
    yield Target("noise greeting", _greeting, _greet, (PeerError,))
    yield Target("noise payload", _payload, _parse_payload, (PeerError,))
    yield Target("multistream answer", _lines, _answer, (PeerError,))
    yield Target("multistream proposal", _lines, _propose, (PeerError,))
    yield Target("yamux", _frames, _carry, (ProtocolViolation,))
    yield Target("framing", _messages, _receive, (PeerError,))
    yield Target("hello", _hello, _read_hello, (PeerError,))
    yield Target("told addresses", _told, _read_told, (PeerError,))
    yield Target("address", _text, _read_address, (AddressError, UnicodeError))


# Noise


def _greeting(random: Random) -> bytes:
    """A key, and a payload that nobody may send yet but anybody can."""
    key = random.choice((*SMALL_ORDER, *(random.randbytes(32) for _ in range(8))))
    return damaged(random, key + random.randbytes(random.choice((0, 0, 40))))


def _greet(data: bytes) -> None:
    noise = Noise(OURS, initiator=False)
    noise.read_greeting(data)
    noise.proof()


def _payload(random: Random) -> bytes:
    """protobuf: identity and signature, and sometimes extensions, in any order."""
    fields = [
        _field(1, bytes.fromhex("08011220") + random.randbytes(32)),
        _field(2, random.randbytes(64)),
        *(_field(4, random.randbytes(random.randrange(300))) for _ in range(random.randrange(2))),
    ]
    random.shuffle(fields)
    return damaged(random, b"".join(fields))


def _field(number: int, content: bytes) -> bytes:
    length = len(content)
    size = bytes((length,)) if length < 0x80 else bytes((length & 0x7F | 0x80, length >> 7))
    return bytes((number << 3 | 2,)) + size + content


# Negotiation


def _lines(random: Random) -> bytes:
    proposals = (*PROTOCOLS, *PROTOCOLS, multistream.NOT_AVAILABLE, "", "/unknown/" + "x" * 150)
    lines = [multistream.HEADER, *random.choices(proposals, k=random.randrange(1, 11))]
    return damaged(random, b"".join(map(multistream.pack, lines)))


def _answer(data: bytes) -> None:
    step(multistream.answer(Bytes(data), set(PROTOCOLS)))


def _propose(data: bytes) -> None:
    step(multistream.propose(Bytes(data), PROTOCOLS[0]))


# Streams


def _frames(random: Random) -> bytes:
    """Streams that a peer opens, speaks on and ends, with pings between."""
    parts: list[bytes] = []
    opened = 0
    for _ in range(random.randrange(1, 12)):
        number = random.randrange(max(opened, 1)) * 2 + 1
        match random.randrange(8):
            case 0 | 1:
                number, opened = opened * 2 + 1, opened + 1
                parts.append(header(_WINDOW_UPDATE, _SYN, number, random.choice((0, WINDOW))))
            case 2:
                number, opened = opened * 2 + 1, opened + 1
                parts.append(header(_DATA, _SYN | _FIN, number, 3) + b"abc")
            case 3:
                data = bytes(random.choice((0, 1, 50, 3000, 3000, INITIAL_WINDOW)))
                parts.append(header(_DATA, 0, number, len(data)) + data)
            case 4:
                parts.append(header(_WINDOW_UPDATE, 0, number, random.getrandbits(32)))
            case 5:
                parts.append(header(_WINDOW_UPDATE, random.choice((_FIN, _RST)), number, 0))
            case 6:
                parts.append(header(_PING, random.choice((_SYN, _ACK)), 0, random.getrandbits(32)))
            case _:
                parts.append(header(_GO_AWAY if random.random() < 0.1 else _PING, _SYN, 0, 7))
    return damaged(random, b"".join(parts))


class _Channel:
    """What came over a channel, piece by piece, and then its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.peer, self.initiator = PeerId("peer"), False

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._data:
            raise PeerError("the input ends")
        piece, self._data = self._data[:7_919], self._data[7_919:]
        return piece

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        pass


def _carry(data: bytes) -> None:
    """A connection whose streams are echoed in pieces, to its end; the last is often a half.
    Its frames are read at a rate: time passes at once where everybody waits."""
    holdings = Holdings(NetworkLimits())

    async def echo(stream: Stream) -> None:
        try:
            while True:
                await stream.send(await stream.receive_exactly(5000))
        except PeerError:
            stream.reset()

    async def main() -> Yamux:
        mux = Yamux(cast(SecureChannel, _Channel(data)), YamuxLimits(), holdings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mux.run)
            async for stream in mux.accepted:
                nursery.start_soon(echo, stream)
        return mux

    mux = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    if mux.failure is not None:
        raise Broken("yamux") from mux.failure
    if mux.ended is None or (holdings.held, holdings.unasked) != (0, 0):
        raise Broken("yamux: something is left at its end")
    if mux.violated:
        raise ProtocolViolation(mux.ended)


# Messages


def _messages(random: Random) -> bytes:
    sizes = random.choices((0, 1, 299, MAX_MESSAGE, MAX_MESSAGE + 1), k=random.randrange(1, 4))
    return damaged(random, b"".join(frame(random.randbytes(size)) for size in sizes))


def _receive(data: bytes) -> None:
    stream = Bytes(data)
    payload = step(receive_frame(stream, MAX_MESSAGE))
    if not isinstance(payload, bytes) or len(payload) > MAX_MESSAGE:
        raise Broken("framing: a message beyond its limit")
    if frame(payload) + stream.data != data:
        raise Broken("framing")


# Peers of themselves and each other


def _address_text(random: Random) -> str:
    port = random.choice((0, 1, 80, 30333, 65_535))
    return f"/{random.choice(HOSTS)}/tcp/{port}/p2p/{random.choice((OURS, THEIRS)).peer}"


def _text(random: Random) -> bytes:
    return damaged(random, _address_text(random).encode())


def _read_address(data: bytes) -> None:
    address = parse_told(data.decode())
    if str(parse_told(str(address))) != str(address):
        raise Broken("address")


def _hello(random: Random) -> bytes:
    hello = Hello(
        random.choice((VERSION, U32(7))),
        H256(random.randbytes(32)),
        random.choice(list(ObservedRole)),
        random.randbytes(16),
        tuple(_address_text(random) for _ in range(random.randrange(4))),
    )
    return damaged(random, encode(hello))


def _read_hello(data: bytes) -> None:
    hello = decode_hello(data)
    if encode(hello) != data:
        raise Broken("hello")
    listen_addresses(hello, THEIRS.peer, "192.0.2.1")


def _told(random: Random) -> bytes:
    texts = {_address_text(random).replace("tcp/0", "tcp/1") for _ in range(random.randrange(6))}
    return damaged(random, encode_told([parse_address(text) for text in sorted(texts)]))


def _read_told(data: bytes) -> None:
    if encode_told(decode_told(data)) != data:
        raise Broken("told addresses")
