"""Whether a transaction may be in a block, in Substrate's forms: what clients are told."""

from __future__ import annotations

from enum import IntEnum


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
