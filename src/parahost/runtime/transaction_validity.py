"""Whether a transaction may be in a block, in Substrate's forms: what clients are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from parahost.primitives.basic import U64
from parahost.primitives.scale import variant

# Why not


class InvalidReason(IntEnum):
    """Substrate's ``InvalidTransaction``: it may not be in a block."""

    CALL = 0
    """The call is none that the chain takes."""
    PAYMENT = 1
    """The signer cannot pay the fee."""
    FUTURE = 2
    """Other transactions of the signer must come first."""
    STALE = 3
    """The nonce is used."""
    BAD_PROOF = 4
    """The signature or the proof is not good."""
    ANCIENT_BIRTH_BLOCK = 5
    """The block with which the era began is not known any more."""
    EXHAUSTS_RESOURCES = 6
    """The block has no room for it."""
    BAD_MANDATORY = 8
    """An inherent was refused."""
    MANDATORY_VALIDATION = 9
    """Inherents are not for the pool."""
    BAD_SIGNER = 10
    """The signer is none that can sign."""

    @property
    def sentence(self) -> str:
        """What Substrate's nodes say to clients, some of which look for it."""
        return _INVALID[self]


class UnknownReason(IntEnum):
    """Substrate's ``UnknownTransaction``: whether it may be in a block cannot be told."""

    CANNOT_LOOKUP = 0
    """The signer's address leads to no account."""
    NO_UNSIGNED_VALIDATOR = 1
    """Nobody has signed it, and it does not prove itself."""

    @property
    def sentence(self) -> str:
        return _UNKNOWN[self]


@variant(0, name="Invalid", unnamed=True)
@dataclass(frozen=True, slots=True)
class InvalidForm:
    """It may not be in a block."""

    reason: InvalidReason


@variant(1, name="Unknown", unnamed=True)
@dataclass(frozen=True, slots=True)
class UnknownForm:
    """Whether it may be cannot be told."""

    reason: UnknownReason


TransactionValidityError = InvalidForm | UnknownForm
"""Why a transaction is not taken, in Substrate's form."""


def refusal_form(reason: InvalidReason | UnknownReason) -> TransactionValidityError:
    """The form of a reason."""
    return InvalidForm(reason) if isinstance(reason, InvalidReason) else UnknownForm(reason)


# The verdict


class TransactionSource(IntEnum):
    """Where a transaction comes from. The verdict is the same."""

    IN_BLOCK = 0
    """From a block."""
    LOCAL = 1
    """From this node."""
    EXTERNAL = 2
    """From a peer or a client."""


Tag = bytes
"""A name for what a transaction needs or brings: an account with a nonce, or a deed."""


@dataclass(frozen=True, slots=True)
class ValidTransactionForm:
    """Substrate's ``ValidTransaction``. A transaction is ready when all that it ``requires`` is
    provided by others or by the chain. ``longevity`` is in blocks."""

    priority: U64
    requires: tuple[Tag, ...]
    provides: tuple[Tag, ...]
    longevity: U64
    propagate: bool


@variant(0, name="Ok", unnamed=True)
@dataclass(frozen=True, slots=True)
class TransactionOk:
    """The transaction may be in a block."""

    valid: ValidTransactionForm


@variant(1, name="Err", unnamed=True)
@dataclass(frozen=True, slots=True)
class TransactionErr:
    """The transaction may not."""

    error: TransactionValidityError


TransactionValidity = TransactionOk | TransactionErr
"""The verdict on a transaction, as Rust's ``Result``."""

_INVALID = {
    InvalidReason.CALL: "Transaction call is not expected",
    InvalidReason.PAYMENT: "Inability to pay some fees (e.g. account balance too low)",
    InvalidReason.FUTURE: "Transaction will be valid in the future",
    InvalidReason.STALE: "Transaction is outdated",
    InvalidReason.BAD_PROOF: "Transaction has a bad signature",
    InvalidReason.ANCIENT_BIRTH_BLOCK: "Transaction has an ancient birth block",
    InvalidReason.EXHAUSTS_RESOURCES: "Transaction would exhaust the block limits",
    InvalidReason.BAD_MANDATORY: "A call was labelled as mandatory, but resulted in an Error.",
    InvalidReason.MANDATORY_VALIDATION: (
        "Transaction dispatch is mandatory; transactions must not be validated."
    ),
    InvalidReason.BAD_SIGNER: "Invalid signing address",
}
_UNKNOWN = {
    UnknownReason.CANNOT_LOOKUP: (
        "Could not lookup information required to validate the transaction"
    ),
    UnknownReason.NO_UNSIGNED_VALIDATOR: (
        "Could not find an unsigned validator for the unsigned transaction"
    ),
}
