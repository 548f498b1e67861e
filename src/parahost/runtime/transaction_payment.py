"""Transaction payment: what a signed transaction costs its signer.

A fee is :data:`BASE_FEE`, :data:`BYTE_FEE` for each byte of the extrinsic, and the tip. It is taken
when the transaction gets into a block, whatever becomes of its call, and it is burnt: nobody earns
by filling blocks. Reports of equivocations are not signed and pay nothing; inherents neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parahost.primitives.basic import U128
from parahost.runtime.balances import UNIT, Balances
from parahost.runtime.errors import CannotPay
from parahost.runtime.extrinsic import ExtrinsicSignature
from parahost.runtime.module import Constant, Module, RuntimeEvent, event
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader
from parahost.runtime.system import System

BASE_FEE: Final = UNIT // 1000
BYTE_FEE: Final = UNIT // 1_000_000


def fee(length: int, tip: int) -> int:
    """What a signed extrinsic of ``length`` bytes costs, in parts of :data:`UNIT`."""
    return BASE_FEE + BYTE_FEE * length + tip


@event(0)
@dataclass(frozen=True, slots=True)
class TransactionFeePaid(RuntimeEvent):
    """``actual_fee`` is all that was taken, the tip included."""

    who: AccountId
    actual_fee: U128
    tip: U128


class TransactionPayment(Module, pallet=Pallet(32, "TransactionPayment")):
    """What a signed transaction costs its signer."""

    events = (TransactionFeePaid,)

    # Constants

    base_fee = Constant("BaseFee", U128, U128(BASE_FEE))
    """What every signed transaction costs."""
    byte_fee = Constant("ByteFee", U128, U128(BYTE_FEE))
    """What each of its bytes costs besides."""

    def __init__(self, system: System, balances: Balances) -> None:
        self._system = system
        self._balances = balances

    # Routines

    def check_funds(self, store: Reader, signature: ExtrinsicSignature, length: int) -> None:
        """:raises CannotPay: when the signer has less than the fee."""
        due = fee(length, signature.extra.tip)
        free = self._balances.spendable(store, signature.signer)
        if free < due:
            raise CannotPay(signature.signer, due, free)

    def withdraw(self, store: Overlay, signature: ExtrinsicSignature, length: int) -> None:
        """Take the fee, which the signer has been found to have."""
        due = fee(length, signature.extra.tip)
        self._balances.burn(store, signature.signer, due)
        self._system.deposit_event(
            store, TransactionFeePaid(signature.signer, U128(due), U128(signature.extra.tip))
        )
