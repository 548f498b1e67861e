"""By what an account is named in an extrinsic, and with what it signs: Substrate's ``MultiAddress``
and ``MultiSignature``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import H256, H512
from parahost.primitives.scale import FixedLen, MaxLen, variant
from parahost.runtime.origin import AccountId

# Addresses


class MultiAddress:
    """By what an account is named. Only its own id leads to one here; the other forms are there
    because Substrate's type has them."""

    __slots__ = ()
    __scale_members__: ClassVar[tuple[type, ...]] = ()


@variant(0, name="Id", unnamed=True)
@dataclass(frozen=True, slots=True)
class AccountAddress(MultiAddress):
    """The account itself."""

    account: AccountId


@variant(1, name="Index", unnamed=True)
@dataclass(frozen=True, slots=True)
class IndexAddress(MultiAddress):
    """The place in a list of accounts, where a chain has one."""

    index: None = None


@variant(2, name="Raw", unnamed=True)
@dataclass(frozen=True, slots=True)
class RawAddress(MultiAddress):
    """Whatever bytes a chain takes."""

    address: Annotated[bytes, MaxLen(64)]


@variant(3, name="Address32", unnamed=True)
@dataclass(frozen=True, slots=True)
class Address32(MultiAddress):
    """32 bytes of some other meaning."""

    address: H256


@variant(4, name="Address20", unnamed=True)
@dataclass(frozen=True, slots=True)
class Address20(MultiAddress):
    """20 bytes, as Ethereum has them."""

    address: Annotated[bytes, FixedLen(20)]


MultiAddress.__scale_members__ = (
    AccountAddress,
    IndexAddress,
    RawAddress,
    Address32,
    Address20,
)


def lookup(address: MultiAddress) -> AccountId | None:
    """The account of that name, if the name leads to one."""
    return address.account if isinstance(address, AccountAddress) else None


# Signatures


class MultiSignature:
    """A signature of one of the schemes that signers may use."""

    __slots__ = ()
    __scale_members__: ClassVar[tuple[type, ...]] = ()

    def is_of(self, account: AccountId, payload: bytes, verifier: Verifier) -> bool:
        """Whether the account's key has signed the payload."""
        raise NotImplementedError


@variant(0, name="Ed25519", unnamed=True)
@dataclass(frozen=True, slots=True)
class Ed25519Signature(MultiSignature):
    """The account is the key."""

    signature: H512

    def is_of(self, account: AccountId, payload: bytes, verifier: Verifier) -> bool:
        return verifier.ed25519(account, payload, self.signature)


@variant(1, name="Sr25519", unnamed=True)
@dataclass(frozen=True, slots=True)
class Sr25519Signature(MultiSignature):
    """The account is the key; the context is ``substrate``."""

    signature: H512

    def is_of(self, account: AccountId, payload: bytes, verifier: Verifier) -> bool:
        return verifier.sr25519(account, payload, self.signature)


@variant(2, name="Ecdsa", unnamed=True)
@dataclass(frozen=True, slots=True)
class EcdsaSignature(MultiSignature):
    """The account is the hash of the key; the payload is hashed once more, with blake2-256."""

    signature: Annotated[bytes, FixedLen(65)]

    def is_of(self, account: AccountId, payload: bytes, verifier: Verifier) -> bool:
        return verifier.ecdsa(account, payload, self.signature)


MultiSignature.__scale_members__ = (Ed25519Signature, Sr25519Signature, EcdsaSignature)
