"""How two nodes agree that a connection is the one that they use.

On the connection's first stream both send a ``Hello``. Then each says its verdict, the one with
the greater peer id first: so the other, which decides last, can see to it that of several
connections between the two (they dialled each other at once) exactly one is accepted.
The stream then stays open for lists of peers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import trio

from parahost.network import multistream
from parahost.network.errors import PeerError, ProtocolViolation, Unsupported
from parahost.network.framing import frame, receive_frame
from parahost.network.yamux import Stream, Yamux
from parahost.ports.network import ObservedRole
from parahost.primitives.addresses import (
    MAX_ADDRESS_LENGTH,
    AddressError,
    PeerAddress,
    parse_address,
    parse_told,
)
from parahost.primitives.basic import H256, U32, PeerId
from parahost.primitives.scale import FixedLen, MaxLen, ScaleDecodeError, decode, encode

VERSION = U32(1)
MAX_LISTEN_ADDRESSES = 8
MAX_TOLD_ADDRESSES = 128
MAX_HELLO = 4096
MAX_TOLD = MAX_TOLD_ADDRESSES * (MAX_ADDRESS_LENGTH + 4) + 4
_GOODBYE_S = 1.0

_Address = Annotated[str, MaxLen(MAX_ADDRESS_LENGTH)]
_Told = Annotated[tuple[_Address, ...], MaxLen(MAX_TOLD_ADDRESSES)]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there."""

    version: U32
    genesis: H256
    role: ObservedRole
    incarnation: Annotated[bytes, FixedLen(16)]
    """Random, new at each start: another one shows that the peer was restarted."""
    listen: Annotated[tuple[_Address, ...], MaxLen(MAX_LISTEN_ADDRESSES)]


class HandshakeVerdict(Enum):
    """Whether a connection will be used."""

    ACCEPT = 0
    DUPLICATE = 1
    FULL = 2
    BANNED = 3


class HandshakeRefused(PeerError):
    """One side does not want the connection."""

    def __init__(self, verdict: HandshakeVerdict, by: str) -> None:
        super().__init__(f"refused by {by}: {verdict.name.lower()}")
        self.verdict = verdict


def decode_hello(data: bytes) -> Hello:
    """:raises ProtocolViolation: when it is none."""
    try:
        hello: Hello = decode(Hello, data)
    except ScaleDecodeError as error:
        raise ProtocolViolation(f"a malformed hello: {error}") from error
    return hello


def encode_told(addresses: list[PeerAddress]) -> bytes:
    return encode(tuple(str(address) for address in addresses[:MAX_TOLD_ADDRESSES]), _Told)


def decode_told(data: bytes) -> list[PeerAddress]:
    """The addresses in a list of peers.

    :raises ProtocolViolation: when it is no list, or one of them is none that an honest peer would
        have kept.
    """
    try:
        texts: tuple[str, ...] = decode(_Told, data)
        return [parse_told(text) for text in texts]
    except (ScaleDecodeError, AddressError) as error:
        raise ProtocolViolation(f"a malformed list of peers: {error}") from error


def listen_addresses(hello: Hello, peer: PeerId, observed_host: str) -> list[PeerAddress]:
    """Where a peer says it listens, as seen from here."""
    addresses = (_readable(text) for text in hello.listen)
    return [
        address.seen_from(observed_host)
        for address in addresses
        if address is not None and address.peer == peer
    ]


async def agree(
    mux: Yamux,
    local: PeerId,
    protocol: str,
    ours: Hello,
    decide: Callable[[Hello], HandshakeVerdict],
) -> tuple[Stream, Hello]:
    """Exchange hellos and verdicts. ``decide`` is called once, when the peer has not refused.

    :raises PeerError: when the two will not talk; ``HandshakeRefused`` when one does not want to.
    """
    control = await _control_stream(mux, protocol)
    await control.send(frame(encode(ours)))
    theirs = decode_hello(await receive_frame(control, MAX_HELLO))
    if theirs.version != ours.version:
        raise PeerError(f"the peer speaks version {theirs.version}, we {ours.version}")
    if theirs.genesis != ours.genesis:
        raise PeerError("the peer is on another chain")
    if local < mux.peer:
        await _hear_verdict(control)
        await _say_verdict(control, decide(theirs))
    else:
        await _say_verdict(control, decide(theirs))
        await _hear_verdict(control)
    return control, theirs


async def _control_stream(mux: Yamux, protocol: str) -> Stream:
    if mux.initiator:
        control = mux.open_stream()
        try:
            await multistream.propose(control, protocol)
        except Unsupported:  # protocols have the genesis hash in their names
            raise PeerError("the peer is on another chain, or no node of ours") from None
        return control
    async for control in mux.accepted:
        try:
            await multistream.answer(control, {protocol})
        except PeerError:  # other libp2p hosts first try to identify us, and give up
            control.reset()
        else:
            return control
    raise PeerError(mux.ended or "the connection ended")


async def _say_verdict(control: Stream, verdict: HandshakeVerdict) -> None:
    await control.send(bytes((verdict.value,)))
    if verdict is HandshakeVerdict.ACCEPT:
        return
    with trio.move_on_after(_GOODBYE_S):  # so that it is heard before the connection goes
        with contextlib.suppress(PeerError):
            await control.receive_exactly(1)
    raise HandshakeRefused(verdict, "us")


async def _hear_verdict(control: Stream) -> None:
    (value,) = await control.receive_exactly(1)
    try:
        verdict = HandshakeVerdict(value)
    except ValueError:
        raise ProtocolViolation(f"an unknown verdict {value}") from None
    if verdict is not HandshakeVerdict.ACCEPT:
        raise HandshakeRefused(verdict, "the peer")


def _readable(text: str) -> PeerAddress | None:
    try:
        return parse_address(text)
    except AddressError:
        return None
