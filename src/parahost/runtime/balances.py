"""Balances: the chain's token, which pays for transactions.

An account's balance stands in ``System.Account``, as in Substrate. What all have together is
``TotalIssuance``; :meth:`Balances.check` holds the two equal, so that no unit gets lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from parahost.primitives.basic import U32, U128
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import AccountInfo, System

# Types

TOKEN_SYMBOL: Final = "UNIT"
"""What people call the token."""
TOKEN_DECIMALS: Final = 12
UNIT: Final = 10**TOKEN_DECIMALS
"""One token in its smallest parts, which is what all amounts are counted in."""
MAX_BALANCE: Final = (1 << 128) - 1

Endowment = tuple[AccountId, int]
"""An account and what it has at genesis."""


class BadEndowment(ValueError):
    """The balances of the genesis are no balances."""


class Balances(Module, pallet=Pallet(5, "Balances")):
    """The chain's token, which pays for transactions."""

    # Storage

    total_issuance = StorageValue("TotalIssuance", U128, default=U128(0))
    """What all accounts have together."""

    def __init__(self, system: System) -> None:
        self._system = system

    # Genesis

    def genesis(self, store: Overlay, endowments: Iterable[Endowment]) -> None:
        """:raises BadEndowment: when an account is there twice, or an amount is none."""
        endowments = tuple(endowments)
        counted = Counter(account for account, _ in endowments)
        for account, amount in endowments:
            if counted[account] > 1:
                raise BadEndowment(f"the account {account.hex()} is endowed twice")
            if amount <= 0:
                raise BadEndowment(f"the account {account.hex()} is endowed with {amount}")
            info = self._system.account.get(store, account)
            self._system.account.put(
                store,
                account,
                replace(info, providers=U32(1), data=replace(info.data, free=U128(amount))),
            )
        issued = sum(amount for _, amount in endowments)
        if issued > MAX_BALANCE:
            raise BadEndowment(f"{issued} are more than all balances can be together")
        self.total_issuance.put(store, U128(issued))

    # Routines

    def free(self, store: Reader, account: AccountId) -> int:
        """What the account may spend."""
        return spendable(self._system.account.get(store, account))

    def reserved(self, store: Reader, account: AccountId) -> int:
        """What the account has set aside, as a stake."""
        return int(self._system.account.get(store, account).data.reserved)

    def reserve(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Set aside some of what an account may spend. It has been found to have it."""
        self._move(store, account, to_reserved=amount)

    def unreserve(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Give back what has been set aside."""
        self._move(store, account, to_reserved=-amount)

    def burn_reserved(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Take from what an account has set aside what nobody gets."""
        self.unreserve(store, account, amount)
        self.burn(store, account, amount)

    def mint(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Make new units for an account."""

        def richer(info: AccountInfo) -> AccountInfo:
            data = replace(info.data, free=U128(info.data.free + amount))
            return replace(info, providers=U32(max(info.providers, 1)), data=data)

        self._system.account.mutate(store, account, richer)
        self.total_issuance.mutate(store, lambda issued: U128(issued + amount))

    def _move(self, store: Overlay, account: AccountId, to_reserved: int) -> None:
        def moved(info: AccountInfo) -> AccountInfo:
            free, reserved = info.data.free - to_reserved, info.data.reserved + to_reserved
            if min(free, reserved) < 0:
                raise RuntimeBug(f"{account.hex()} cannot set aside {to_reserved}")
            data = replace(info.data, free=U128(free), reserved=U128(reserved))
            return replace(info, data=data)

        self._system.account.mutate(store, account, moved)

    def burn(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Take from an account what nobody gets. Its owner has been found to have it."""

        def poorer(info: AccountInfo) -> AccountInfo:
            if spendable(info) < amount:
                raise RuntimeBug(f"{account.hex()} cannot pay {amount}, which was looked at before")
            return replace(info, data=replace(info.data, free=U128(info.data.free - amount)))

        self._system.account.mutate(store, account, poorer)
        self.total_issuance.mutate(store, lambda issued: U128(issued - amount))

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when accounts have another sum than has been issued."""
        held = sum(
            info.data.free + info.data.reserved for info in self._system.account.values(store)
        )
        issued = self.total_issuance.get(store)
        if held != issued:
            raise RuntimeBug(f"Balances: accounts hold {held} together, TotalIssuance is {issued}")


def spendable(info: AccountInfo) -> int:
    """What an account may spend: what is free and not frozen."""
    return max(info.data.free - info.data.frozen, 0)
