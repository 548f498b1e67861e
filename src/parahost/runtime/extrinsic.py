"""Extrinsics in Substrate's format, version 4: how they are read, built and signed.

Unsigned: ``0x04 ++ call``. Signed: ``0x84 ++ address ++ signature ++ extra ++ call``, where the
extra is era, nonce and tip. The signature covers call, extra, both runtime versions, the genesis
hash and the hash of the block with which the era begins (:data:`SIGNED_EXTENSIONS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Final

from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import (
    Compact,
    ScaleDecodeError,
    decode,
    decode_prefix,
    encode,
)
from parahost.runtime.errors import MalformedExtrinsic, UnknownAddress
from parahost.runtime.module import RuntimeCall, encode_call
from parahost.runtime.origin import AccountId
from parahost.runtime.signers import (
    AccountAddress,
    MultiAddress,
    MultiSignature,
    Sr25519Signature,
    lookup,
)
from parahost.runtime.version import SPEC_VERSION, TRANSACTION_VERSION

EXTRINSIC_VERSION: Final = 4
_UNSIGNED = EXTRINSIC_VERSION
_SIGNED = 0x80 | EXTRINSIC_VERSION

Sign = Callable[[bytes], bytes]
"""Signs a payload; gives the bytes of the signature."""

# Types


@dataclass(frozen=True, slots=True)
class MortalEra:
    """The extrinsic may be in a block during ``period`` blocks (a power of two from 4 to 65536)
    from the last block whose number is ``phase`` modulo the period.

    :raises ValueError: when period or phase have no encoding.
    """

    period: int
    phase: int

    def __post_init__(self) -> None:
        if not 4 <= self.period <= 1 << 16 or self.period & (self.period - 1):
            raise ValueError(f"a period of {self.period} blocks is no power of two from 4 to 65536")
        if not 0 <= self.phase < self.period or self.phase % _quantum(self.period):
            raise ValueError(f"an era of {self.period} blocks cannot have the phase {self.phase}")

    @classmethod
    def around(cls, block: int, period: int) -> MortalEra:
        """The era that begins with a block, or as shortly before as can be encoded."""
        phase = block % period
        return cls(period, phase - phase % _quantum(period))

    def birth(self, current: int) -> BlockNumber:
        """The number of the block with which the era around block ``current`` begins."""
        start = (max(current, self.phase) - self.phase) // self.period * self.period + self.phase
        return BlockNumber(U32(start))

    def is_born_within(self, blocks: int, current: int) -> bool:
        """Whether an era of this form begins with a block at most so many before block ``current``,
        or after it."""
        since = (current - self.phase) % self.period
        return min(since, self.period - since) <= blocks

    def death(self, current: int) -> int:
        """The number of the first block that comes too late."""
        return self.birth(current) + self.period


Era = MortalEra | None
"""``None`` is immortal."""
Nonce = Annotated[int, Compact(32)]
Tip = Annotated[int, Compact(128)]


@dataclass(frozen=True, slots=True)
class SignedExtension:
    """A part of what a signer promises, by Substrate's name. ``extra``: the type of what stands in
    the extrinsic; ``implicit``: of what only the signature covers."""

    identifier: str
    extra: Any = NoneType
    implicit: Any = NoneType


SIGNED_EXTENSIONS: Final = (
    SignedExtension("CheckSpecVersion", implicit=U32),
    SignedExtension("CheckTxVersion", implicit=U32),
    SignedExtension("CheckGenesis", implicit=Hash),
    SignedExtension("CheckMortality", extra=Era, implicit=Hash),
    SignedExtension("CheckNonce", extra=Nonce),
    SignedExtension("CheckWeight"),
    SignedExtension("ChargeTransactionPayment", extra=Tip),
)
"""In the order in which their parts follow one another."""
_IMPLICIT: Any = tuple[tuple(each.implicit for each in SIGNED_EXTENSIONS)]  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class _Signed:
    """What stands before the era, which is no type of SCALE."""

    address: MultiAddress
    signature: MultiSignature


@dataclass(frozen=True, slots=True)
class _Counts:
    """What stands behind it."""

    nonce: Nonce
    tip: Tip


@dataclass(frozen=True, slots=True)
class Extra:
    """``nonce``: how many extrinsics of the account were in blocks before. ``tip``: what the
    signer pays beside the fee; it buys an earlier place."""

    era: Era
    nonce: int
    tip: int = 0


@dataclass(frozen=True, slots=True)
class ExtrinsicSignature:
    """Who has signed an extrinsic, and with what promises."""

    signer: AccountId
    signature: MultiSignature
    extra: Extra


@dataclass(frozen=True, slots=True)
class UncheckedExtrinsic:
    """An extrinsic that can be read; nothing else is known of it. Without a ``signature`` it is
    an inherent, or a report that proves itself."""

    call: RuntimeCall
    signature: ExtrinsicSignature | None = None

    def encode(self) -> Extrinsic:
        out = bytearray()
        if self.signature is None:
            out.append(_UNSIGNED)
        else:
            out.append(_SIGNED)
            out += encode(_Signed(AccountAddress(self.signature.signer), self.signature.signature))
            out += encode_extra(self.signature.extra)
        out += encode_call(self.call)
        return Extrinsic(bytes(out))


# Reading


@dataclass(frozen=True, slots=True)
class Envelope:
    """An extrinsic of which all is read but the call: who has signed it, with what promises. It
    costs the same however long the call is, so that who cannot pay is turned away first.
    ``length`` is the extrinsic's, ``call_bytes`` are the call's."""

    signature: ExtrinsicSignature | None
    call_bytes: bytes
    length: int

    def call(self) -> RuntimeCall:
        """:raises MalformedExtrinsic: when the bytes are no call of this runtime."""
        try:
            call: RuntimeCall = decode(RuntimeCall, self.call_bytes)
        except ScaleDecodeError as error:
            raise MalformedExtrinsic(f"an unreadable call: {error}") from error
        return call


def open_envelope(data: bytes) -> Envelope:
    """:raises MalformedExtrinsic: when the bytes cannot be an extrinsic of this runtime.
    :raises UnknownAddress: when the signer's name leads to no account.
    """
    try:
        if data[:1] == bytes((_UNSIGNED,)):
            signature, offset = None, 1
        elif data[:1] == bytes((_SIGNED,)):
            signature, offset = _decode_signature(data)
        else:
            raise MalformedExtrinsic(f"the version byte is {data[:1].hex() or 'absent'}")
    except (ScaleDecodeError, IndexError) as error:
        raise MalformedExtrinsic(f"an unreadable extrinsic: {error}") from error
    return Envelope(signature, data[offset:], len(data))


def decode_extrinsic(data: bytes) -> UncheckedExtrinsic:
    """:raises MalformedExtrinsic: when the bytes are no extrinsic of this runtime."""
    envelope = open_envelope(data)
    return UncheckedExtrinsic(envelope.call(), envelope.signature)


def _decode_signature(data: bytes) -> tuple[ExtrinsicSignature, int]:
    before, offset = decode_prefix(_Signed, data, 1)
    era, offset = _decode_era(data, offset)
    behind, offset = decode_prefix(_Counts, data, offset)
    signer = lookup(before.address)
    if signer is None:
        raise UnknownAddress(before.address)
    extra = Extra(era, behind.nonce, behind.tip)
    return ExtrinsicSignature(signer, before.signature, extra), offset


def _decode_era(data: bytes, offset: int) -> tuple[Era, int]:
    if data[offset] == 0:
        return None, offset + 1
    value = data[offset] | data[offset + 1] << 8
    period = 2 << (value & 15)
    try:
        return MortalEra(period, (value >> 4) * _quantum(period)), offset + 2
    except ValueError as error:
        raise MalformedExtrinsic(str(error)) from error


# Building


def inherent(call: RuntimeCall) -> Extrinsic:
    """An extrinsic that nobody signs."""
    return UncheckedExtrinsic(call).encode()


def signed(
    call: RuntimeCall,
    signer: AccountId,
    sign: Sign,
    *,
    nonce: int,
    genesis_hash: Hash,
    tip: int = 0,
    era: Era = None,
    era_hash: Hash | None = None,
    scheme: Callable[[Any], MultiSignature] = Sr25519Signature,
) -> Extrinsic:
    """An extrinsic of an account. ``era_hash`` is the hash of the block with which the era
    begins; the two come together. ``scheme``: what ``sign`` signs with."""
    if (era is None) != (era_hash is None):
        raise ValueError("a mortal era needs the hash of its first block, an immortal one has none")
    extra = Extra(era, nonce, tip)
    payload = signing_payload(encode_call(call), extra, genesis_hash, era_hash or genesis_hash)
    signature = ExtrinsicSignature(signer, scheme(sign(payload)), extra)
    return UncheckedExtrinsic(call, signature).encode()


def signing_payload(call_bytes: bytes, extra: Extra, genesis_hash: Hash, era_hash: Hash) -> bytes:
    """What the signature of an extrinsic covers; hashed when it has more than 256 bytes."""
    implicit = (SPEC_VERSION, TRANSACTION_VERSION, genesis_hash, era_hash, None, None, None)
    payload = call_bytes + encode_extra(extra) + encode(implicit, _IMPLICIT)
    return blake2_256(payload) if len(payload) > 256 else payload


def encode_extra(extra: Extra) -> bytes:
    """Era, compact nonce, compact tip."""
    return encode_era(extra.era) + encode(_Counts(extra.nonce, extra.tip))


def encode_era(era: Era) -> bytes:
    """One byte for an immortal era, two for a mortal one."""
    if era is None:
        return b"\x00"
    logarithm = era.period.bit_length() - 2
    return (logarithm | era.phase // _quantum(era.period) << 4).to_bytes(2, "little")


def _quantum(period: int) -> int:
    """Phases of long eras are multiples of this."""
    return max(period >> 12, 1)
