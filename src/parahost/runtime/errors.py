"""What can go wrong in the runtime: four trees that do not touch.

- :class:`InvalidBlock` is an answer: the block breaks a rule and nobody may import it.
- :class:`InvalidTransaction` is an answer: the extrinsic may not be in a block, now or ever.
- :class:`DispatchError` is an answer: an entry point refused. The extrinsic has no effect; an
  event says so. The refusal of an inherent is an :class:`InvalidBlock` (A50).
- :class:`RuntimeBug` is a broken invariant of the runtime itself. Nobody catches it.

Subclasses carry their evidence in typed fields, and modules derive their own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

from parahost.primitives.basic import H256, BlockNumber
from parahost.runtime.pallets import Pallet
from parahost.runtime.transaction_validity import InvalidReason, UnknownReason


class RuntimeBug(Exception):
    """The runtime has contradicted itself; the node that meets it must stop."""


# Blocks


class InvalidBlock(Exception):
    """The block breaks a rule of the relay chain."""


class WrongNumber(InvalidBlock):
    def __init__(self, number: BlockNumber, parent_number: BlockNumber) -> None:
        super().__init__(f"block {number} cannot follow block {parent_number}")
        self.number = number
        self.parent_number = parent_number


class HeaderTooLong(InvalidBlock):
    """The header could not be announced, synced and built upon by everybody (D35)."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the header has {size} bytes, at most {limit} may be")
        self.size = size
        self.limit = limit


class BodyTooLong(InvalidBlock):
    """The extrinsics have more bytes together than a block may carry."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"the extrinsics have {length} bytes, at most {limit} are allowed")
        self.length = length
        self.limit = limit


class BlockTooHeavy(InvalidBlock):
    """The extrinsics take longer together than a block may; ``weight`` and ``limit`` in
    picoseconds. The inherents have a limit of their own."""

    def __init__(self, weight: int, limit: int) -> None:
        super().__init__(f"the block would weigh {weight} ps, at most {limit} are allowed")
        self.weight = weight
        self.limit = limit


class WrongExtrinsicsRoot(InvalidBlock):
    def __init__(self, claimed: H256, computed: H256) -> None:
        super().__init__(
            f"the header's extrinsics root is {claimed.hex()}, its body's {computed.hex()}"
        )
        self.claimed = claimed
        self.computed = computed


class WrongStateRoot(InvalidBlock):
    def __init__(self, claimed: H256, computed: H256) -> None:
        super().__init__(
            f"the header's state root is {claimed.hex()}, executing the block gives "
            f"{computed.hex()}"
        )
        self.claimed = claimed
        self.computed = computed


class WrongDigest(InvalidBlock):
    """The digest's items are not those that execution makes. ``claimed`` and ``computed`` are
    tuples of ``DigestItem``."""

    def __init__(self, claimed: tuple[Any, ...], computed: tuple[Any, ...]) -> None:
        super().__init__(f"the header's digest is {claimed}, executing the block gives {computed}")
        self.claimed = claimed
        self.computed = computed


class InvalidPreDigest(InvalidBlock):
    """What consensus wrote into the digest before execution is absent, twice there, or wrong."""


class DisabledAuthor(InvalidBlock):
    """The block is of a validator that may not take part for a while."""

    def __init__(self, author: bytes) -> None:
        super().__init__(f"the author 0x{author.hex()} is disabled")
        self.author = author


class InvalidExtrinsic(InvalidBlock):
    """The extrinsic at ``index`` of the body may not be in this block."""

    def __init__(self, index: int, reason: InvalidTransaction) -> None:
        super().__init__(f"extrinsic {index}: {reason}")
        self.index = index
        self.reason = reason


class MisplacedInherent(InvalidBlock):
    """An inherent is absent, twice there, or not where it belongs: ``expected`` and ``found``
    are the calls' names, ``found`` is ``None`` at the end of the body."""

    def __init__(self, index: int, expected: str, found: str | None) -> None:
        super().__init__(f"extrinsic {index} must be {expected}, it is {found or 'absent'}")
        self.index = index
        self.expected = expected
        self.found = found


class InherentFailed(InvalidBlock):
    """An inherent's entry point refused (A50); ``reason`` says why."""

    def __init__(self, index: int, reason: DispatchError) -> None:
        super().__init__(f"the inherent at {index} was refused: {reason}")
        self.index = index
        self.reason = reason


# Transactions


class InvalidTransaction(Exception):
    """An extrinsic that may not be in a block. ``retriable``: that is said of this state alone;
    after other blocks it may be valid, so whoever has those passes it on in good faith. ``reason``:
    why, in Substrate's form."""

    retriable: ClassVar[bool] = False
    reason: ClassVar[InvalidReason | UnknownReason] = InvalidReason.CALL


class MalformedExtrinsic(InvalidTransaction):
    """The bytes are no extrinsic of this runtime."""


class UnknownAddress(InvalidTransaction):
    """The signer's ``address``, a ``MultiAddress``, leads to no account."""

    reason = UnknownReason.CANNOT_LOOKUP

    def __init__(self, address: object) -> None:
        super().__init__(f"no account goes by {address}")
        self.address = address


class BadSignature(InvalidTransaction):
    """The signature does not cover the call, the extra, this chain and this runtime version."""

    reason = InvalidReason.BAD_PROOF


class BornElsewhere(BadSignature):
    """The signature covers none of this fork's blocks as the one with which the era began: it may
    cover one to come, or one of another fork."""

    retriable = True


class StaleTransaction(InvalidTransaction):
    """The nonce is used, or the transaction's era is over."""

    retriable = True
    reason = InvalidReason.STALE


class EraForgotten(StaleTransaction):
    """The era began with a block, number ``birth``, whose hash is not known any more."""

    reason = InvalidReason.ANCIENT_BIRTH_BLOCK

    def __init__(self, birth: BlockNumber) -> None:
        super().__init__(f"the era began with block {birth}, which is not known any more")
        self.birth = birth


class FutureTransaction(InvalidTransaction):
    """The nonce is not yet due."""

    retriable = True
    reason = InvalidReason.FUTURE


class CannotPay(InvalidTransaction):
    """The signer has less than the fee: ``free`` instead of ``fee``, in the smallest parts."""

    retriable = True
    reason = InvalidReason.PAYMENT

    def __init__(self, account: H256, fee: int, free: int) -> None:
        super().__init__(f"the fee is {fee}, the account {account.hex()} has {free}")
        self.account = account
        self.fee = fee
        self.free = free


class UnsignedNotAllowed(InvalidTransaction):
    """The call needs a signature; only inherents and self-proving reports come without."""

    reason: ClassVar[InvalidReason | UnknownReason] = UnknownReason.NO_UNSIGNED_VALIDATOR


class ForTheAuthorOnly(UnsignedNotAllowed):
    """The call is an inherent, which the block's author brings and nobody else."""

    reason = InvalidReason.MANDATORY_VALIDATION


class UnprovenReport(InvalidTransaction):
    """A report that proves nothing."""

    reason = InvalidReason.BAD_PROOF


class KnownDeed(UnprovenReport):
    """A report of a deed that is known already, or of one who cannot be punished more than it has
    been: on this fork, in this session."""

    retriable = True
    reason = InvalidReason.STALE


class EarlyReport(UnprovenReport):
    """A report of what belongs to a session that has not begun on this fork."""

    retriable = True
    reason = InvalidReason.FUTURE


class LateReport(UnprovenReport):
    """A report of what nobody judges any more."""

    retriable = True
    reason = InvalidReason.STALE


# Entry points


class DispatchError(Exception):
    """An entry point refused; what it wrote is undone."""


class BadOrigin(DispatchError):
    """The call came from an origin that may not make it."""

    def __init__(self, required: str, origin: object) -> None:
        super().__init__(f"the call needs the origin {required}, it came from {origin}")
        self.required = required
        self.origin = origin


class UnknownDestination(DispatchError):
    """The ``address`` that a call names leads to no account."""

    def __init__(self, address: object) -> None:
        super().__init__(f"no account goes by {address}")
        self.address = address


class TokenReason(IntEnum):
    """Substrate's ``TokenError``: why an amount does not move."""

    FUNDS_UNAVAILABLE = 0
    """The account has less."""
    ONLY_PROVIDER = 1
    """The account would cease to be while it is needed."""
    BELOW_MINIMUM = 2
    """The account would have less than the existential deposit."""
    CANNOT_CREATE = 3
    """The account cannot begin to be."""
    UNKNOWN_ASSET = 4
    """There is no such token."""
    FROZEN = 5
    """The amount is there and must stay."""
    UNSUPPORTED = 6
    """Nobody may do that."""
    CANNOT_CREATE_HOLD = 7
    """The amount cannot be set aside."""
    NOT_EXPENDABLE = 8
    """The account would cease to be, which the call rules out."""
    BLOCKED = 9
    """The account takes nothing."""


class TokenError(DispatchError):
    """An ``amount`` does not move to or from an ``account``; ``reason`` says why."""

    def __init__(self, reason: TokenReason, account: H256, amount: int) -> None:
        super().__init__(f"{amount} of {account.hex()}: {reason.name}")
        self.reason = reason
        self.account = account
        self.amount = amount


class ModuleError(DispatchError):
    """A refusal of one module: ``class ClaimExists(ModuleError, index=3)``. The module lists it
    among its errors, which gives it its ``pallet``.

    ``index`` is its number in the module's list of errors, for events and metadata.
    """

    pallet: ClassVar[Pallet]
    index: ClassVar[int]

    def __init_subclass__(cls, *, index: int, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.index = index
