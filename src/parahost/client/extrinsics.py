"""Signed extrinsics of format 4 for any chain, by the signed extensions that its metadata names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parahost.client.metadata import RuntimeMetadata
from parahost.client.signer import Signer
from parahost.primitives.basic import U32, Hash
from parahost.primitives.errors import OperationalError
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import encode
from parahost.runtime.extrinsic import Era, Nonce, Tip, encode_era
from parahost.runtime.signers import AccountAddress, MultiAddress

SIGNED_FORMAT: Final = b"\x84"


class UnknownExtension(OperationalError):
    """The chain has signers promise something of which nothing is known here."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"extrinsics cannot be signed: the chain asks for {identifier}")
        self.identifier = identifier


@dataclass(frozen=True, slots=True)
class Promises:
    """What a signer promises beside the call. ``birth_hash`` is that of the block with which the
    era begins; that of the genesis when the era is immortal."""

    nonce: int
    era: Era
    birth_hash: Hash
    genesis_hash: Hash
    spec_version: int
    transaction_version: int
    tip: int = 0

    def parts(self, identifier: str) -> tuple[bytes, bytes] | None:
        """What a signed extension has in the extrinsic, and what only the signature covers."""
        match identifier:
            case "CheckSpecVersion":
                return b"", encode(U32(self.spec_version), U32)
            case "CheckTxVersion":
                return b"", encode(U32(self.transaction_version), U32)
            case "CheckGenesis":
                return b"", self.genesis_hash
            case "CheckMortality" | "CheckEra":
                return encode_era(self.era), self.birth_hash
            case "CheckNonce":
                return encode(self.nonce, Nonce), b""
            case "ChargeTransactionPayment":
                return encode(self.tip, Tip), b""
            case "ChargeAssetTxPayment":
                return encode(self.tip, Tip) + b"\0", b""
            case "CheckMetadataHash":
                return b"\0", b"\0"
        return None


def sign(metadata: RuntimeMetadata, call: bytes, signer: Signer, promises: Promises) -> Extrinsic:
    """An extrinsic with that call.

    :raises UnknownExtension: when the chain asks for a promise that is unknown here.
    """
    extra, implicit = promised(metadata, promises)
    payload = call + extra + implicit
    signature = signer.sign(blake2_256(payload) if len(payload) > 256 else payload)
    address = encode(AccountAddress(signer.account), MultiAddress)
    return Extrinsic(SIGNED_FORMAT + address + signature + extra + call)


def promised(metadata: RuntimeMetadata, promises: Promises) -> tuple[bytes, bytes]:
    """What all signed extensions have in the extrinsic, and what only the signature covers.

    :raises UnknownExtension: when nothing is known of one that has either.
    """
    extra, implicit = bytearray(), bytearray()
    for extension in metadata.content.extrinsic.signed_extensions:
        parts = promises.parts(extension.identifier)
        if parts is None:
            types = (extension.type, extension.additional_signed)
            if not all(map(metadata.is_empty, types)):
                raise UnknownExtension(extension.identifier)
            continue
        extra += parts[0]
        implicit += parts[1]
    return bytes(extra), bytes(implicit)
