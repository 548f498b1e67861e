"""Which transactions may be in a block, and what the pool needs to know of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import H256, U32, BlockNumber, Hash
from parahost.primitives.limits import OUTGROWN_AFTER
from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.contradictions import ReportContradiction
from parahost.runtime.errors import (
    BadSignature,
    BornElsewhere,
    DispatchError,
    EarlyReport,
    EraForgotten,
    ForTheAuthorOnly,
    FutureTransaction,
    KnownDeed,
    LateReport,
    RuntimeBug,
    UnprovenReport,
    UnsignedNotAllowed,
)
from parahost.runtime.extrinsic import (
    Envelope,
    Era,
    ExtrinsicSignature,
    signing_payload,
)
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.module import RuntimeCall, name_of
from parahost.runtime.modules import AUTHORS_CALLS, Modules
from parahost.runtime.offences import AlreadyReported, NothingToTake, NotYet, Offence, TooLongAgo
from parahost.runtime.origin import AccountId
from parahost.runtime.storage import Reader
from parahost.runtime.system import BLOCK_HASH_COUNT
from parahost.runtime.transaction_payment import fee

GENESIS = BlockNumber(U32(0))
IMMORTAL_BLOCKS = 1 << 32
REPORT_BLOCKS = 256


def priority(tip: int, length: int) -> int:
    """What a full block and a full pool go by: the tip for each byte of the extrinsic."""
    return (tip << 16) // length


@dataclass(frozen=True, slots=True)
class TransactionClaim:
    """What a signed transaction says of itself, whether it is true or not. ``fee`` is all that it
    pays, the ``tip`` included."""

    signer: AccountId
    nonce: int
    tip: int
    fee: int
    is_mortal: bool

    @classmethod
    def of(cls, signature: ExtrinsicSignature, length: int) -> TransactionClaim:
        extra = signature.extra
        due = fee(length, extra.tip)
        return cls(signature.signer, extra.nonce, extra.tip, due, extra.era is not None)


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """An account as the pool sees it: the next ``nonce``, and what it has to pay fees with."""

    nonce: int
    funds: int


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """A transaction whose signature or proof is good. ``longevity``: for so many blocks.

    ``born``: the number of the block whose hash the signature covers; ``None`` if it is the
    genesis. ``deed``: of a report, the same for every proof of the same deed.
    """

    longevity: int
    born: BlockNumber | None = None
    deed: H256 | None = None


class TransactionChecks:
    """Judges transactions by what a block sees that executes, or that could."""

    def __init__(self, modules: Modules, verifier: Verifier) -> None:
        self._modules = modules
        self._verifier = verifier

    def validate(self, store: Reader, envelope: Envelope) -> ValidTransaction:
        """:raises InvalidTransaction: when it cannot be in the next block on this fork."""
        signature = envelope.signature
        if signature is None:
            offence = self.check_unsigned(store, transaction_call(envelope))
            return ValidTransaction(REPORT_BLOCKS, deed=offence.id())
        with suppress(FutureTransaction):
            self.check_cost(store, signature, envelope.length)
        self.check_signature(store, signature, envelope.call_bytes)
        transaction_call(envelope)
        era = signature.extra.era
        born = None if era is None else era.birth(self._modules.system.block_number(store))
        return ValidTransaction(self._blocks_left(store, era), born)

    def check_cost(self, store: Reader, signature: ExtrinsicSignature, length: int) -> None:
        """What costs nothing to look at, before the signature and the call.

        :raises CannotPay: when the signer has less than the fee.
        :raises StaleTransaction: when the nonce is used.
        :raises FutureTransaction: when only the nonce is not yet due.
        """
        self._modules.transaction_payment.check_funds(store, signature, length)
        self._modules.system.check_nonce(store, signature.signer, signature.extra.nonce)

    def check_signature(
        self, store: Reader, signature: ExtrinsicSignature, call_bytes: bytes
    ) -> None:
        """:raises BadSignature: when the signature covers something else.
        :raises BornElsewhere: when that may be a block that is not on this fork yet.
        :raises StaleTransaction: when the era is over.
        """
        payload = signing_payload(
            call_bytes, signature.extra, self._genesis_hash(store), self._era_hash(store, signature)
        )
        if not signature.signature.is_of(signature.signer, payload, self._verifier):
            why = f"the signature is not that of {signature.signer.hex()}"
            era, now = signature.extra.era, self._modules.system.block_number(store)
            if era is not None and era.is_born_within(OUTGROWN_AFTER, now):
                raise BornElsewhere(why)
            raise BadSignature(why)

    def check_unsigned(self, store: Reader, call: RuntimeCall) -> Offence:
        """The deed that a report proves, if nobody has reported it yet.

        :raises UnsignedNotAllowed: when the call is no report.
        :raises KnownDeed: when the report would change nothing; no signature has been looked at.
        :raises EarlyReport: when its session has not begun.
        :raises LateReport: when nobody judges its session any more.
        :raises UnprovenReport: when it proves nothing.
        """
        modules = self._modules
        try:
            if isinstance(call, ReportBabeEquivocation):
                return modules.babe.offence_of(store, call.proof)
            if isinstance(call, ReportGrandpaEquivocation):
                return modules.grandpa.offence_of(store, call.proof)
            if isinstance(call, ReportContradiction):
                return modules.contradictions.offence_of(store, call.proof)
            raise UnsignedNotAllowed(f"{name_of(call)} needs a signature")
        except (AlreadyReported, NothingToTake) as error:
            raise KnownDeed(str(error)) from error
        except NotYet as error:
            raise EarlyReport(str(error)) from error
        except TooLongAgo as error:
            raise LateReport(str(error)) from error
        except DispatchError as error:
            raise UnprovenReport(str(error)) from error

    def _genesis_hash(self, store: Reader) -> Hash:
        genesis = self._modules.system.block_hash(store, GENESIS)
        if genesis is None:
            raise RuntimeBug("the genesis block's hash is not in the state")
        return genesis

    def _era_hash(self, store: Reader, signature: ExtrinsicSignature) -> Hash:
        era = signature.extra.era
        if era is None:
            return self._genesis_hash(store)
        birth = era.birth(self._modules.system.block_number(store))
        found = self._modules.system.block_hash(store, birth)
        if found is None:
            raise EraForgotten(birth)
        return found

    def _blocks_left(self, store: Reader, era: Era) -> int:
        if era is None:
            return IMMORTAL_BLOCKS
        now = self._modules.system.block_number(store)
        return max(min(era.death(now) - now, BLOCK_HASH_COUNT), 0)


def transaction_call(envelope: Envelope) -> RuntimeCall:
    """The call of an extrinsic that the pool may take.

    :raises MalformedExtrinsic: when the bytes are no call of this runtime.
    :raises ForTheAuthorOnly: when only the block's author makes such calls.
    """
    call = envelope.call()
    if isinstance(call, AUTHORS_CALLS):
        raise ForTheAuthorOnly(f"{name_of(call)} is for the block's author only")
    return call
