"""Balances: the chain's token, which pays for transactions.

An account's balance stands in ``System.Account``, as in Substrate. What all have together is
``TotalIssuance``; :meth:`Balances.check` holds the two equal, so that no unit gets lost.

An account is there as long as it has the existential deposit free. Who would leave it less, and
may, ends it: what is left is burnt, and the account's record goes, its nonce too. An account that
has something set aside cannot end: that is what ``consumers`` counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final

from parahost.primitives.basic import U32, U128
from parahost.primitives.scale import Compact
from parahost.runtime.errors import RuntimeBug, TokenError, TokenReason, UnknownDestination
from parahost.runtime.module import (
    Constant,
    Module,
    RuntimeCall,
    RuntimeEvent,
    call,
    entry_point,
    event,
)
from parahost.runtime.origin import AccountId, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.signers import MultiAddress, lookup
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import AccountInfo, KilledAccount, NewAccount, System
from parahost.runtime.weights import micros

# Types

TOKEN_SYMBOL: Final = "UNIT"
"""What people call the token."""
TOKEN_DECIMALS: Final = 12
UNIT: Final = 10**TOKEN_DECIMALS
"""One token in its smallest parts, which is what all amounts are counted in."""
EXISTENTIAL_DEPOSIT: Final = UNIT // 100
"""What an account has at least: some fees' worth, so that accounts cannot be had for nothing."""
MAX_BALANCE: Final = (1 << 128) - 1

Amount = Annotated[U128, Compact(128)]
"""As calls have it."""

Endowment = tuple[AccountId, int]
"""An account and what it has at genesis."""


class BadEndowment(ValueError):
    """The balances of the genesis are no balances."""


@call(0, "transfer_allow_death", weight=micros(150))
@dataclass(frozen=True, slots=True)
class TransferAllowDeath(RuntimeCall):
    """Give another account some of what the sender has free, even if that ends the sender's."""

    dest: MultiAddress
    value: Amount


@call(3, "transfer_keep_alive", weight=micros(150))
@dataclass(frozen=True, slots=True)
class TransferKeepAlive(RuntimeCall):
    """Give another account some of what the sender has, as long as the sender's account stays."""

    dest: MultiAddress
    value: Amount


@call(4, "transfer_all", weight=micros(150))
@dataclass(frozen=True, slots=True)
class TransferAll(RuntimeCall):
    """Give another account all that the sender may give; ``keep_alive`` leaves the existential
    deposit."""

    dest: MultiAddress
    keep_alive: bool


@event(0)
@dataclass(frozen=True, slots=True)
class Endowed(RuntimeEvent):
    """An account has begun to be with so much."""

    account: AccountId
    free_balance: U128


@event(1)
@dataclass(frozen=True, slots=True)
class DustLost(RuntimeEvent):
    """An account has ended with less than the existential deposit, which is burnt."""

    account: AccountId
    amount: U128


@event(2)
@dataclass(frozen=True, slots=True)
class Transfer(RuntimeEvent):
    """An account has given another an amount."""

    from_: AccountId
    to: AccountId
    amount: U128


class Balances(Module, pallet=Pallet(5, "Balances")):
    """The chain's token, which pays for transactions."""

    calls = (TransferAllowDeath, TransferKeepAlive, TransferAll)
    events = (Endowed, DustLost, Transfer)

    # Constants

    existential_deposit = Constant("ExistentialDeposit", U128, U128(EXISTENTIAL_DEPOSIT))
    """What an account has free at least; with less it ends."""

    # Storage

    total_issuance = StorageValue("TotalIssuance", U128, default=U128(0))
    """What all accounts have together."""

    def __init__(self, system: System) -> None:
        self._system = system

    # Genesis

    def genesis(self, store: Overlay, endowments: Iterable[Endowment]) -> None:
        """:raises BadEndowment: when an account is there twice, or an amount is none that an
        account can have.
        """
        endowments = tuple(endowments)
        counted = Counter(account for account, _ in endowments)
        for account, amount in endowments:
            if counted[account] > 1:
                raise BadEndowment(f"the account {account.hex()} is endowed twice")
            if amount < EXISTENTIAL_DEPOSIT:
                raise BadEndowment(
                    f"the account {account.hex()} is endowed with {amount}, less than the "
                    f"existential deposit of {EXISTENTIAL_DEPOSIT}"
                )
        issued = sum(amount for _, amount in endowments)
        if issued > MAX_BALANCE:
            raise BadEndowment(f"{issued} are more than all balances can be together")
        for account, amount in endowments:
            before = self._system.account.get(store, account)
            self._system.account.put(store, account, _with(before, amount, 0))
        self.total_issuance.put(store, U128(issued))

    # Entry points

    @entry_point(TransferAllowDeath, origin=Signed)
    def transfer_allow_death(
        self, store: Overlay, origin: Signed, call: TransferAllowDeath
    ) -> None:
        """:raises UnknownDestination: when the address leads to no account.
        :raises TokenError: see :meth:`transfer`.
        """
        dest = _destination(call.dest)
        self.transfer(store, origin.account, dest, call.value, keep_alive=False)

    @entry_point(TransferKeepAlive, origin=Signed)
    def transfer_keep_alive(self, store: Overlay, origin: Signed, call: TransferKeepAlive) -> None:
        """:raises UnknownDestination: when the address leads to no account.
        :raises TokenError: see :meth:`transfer`.
        """
        dest = _destination(call.dest)
        self.transfer(store, origin.account, dest, call.value, keep_alive=True)

    @entry_point(TransferAll, origin=Signed)
    def transfer_all(self, store: Overlay, origin: Signed, call: TransferAll) -> None:
        """:raises UnknownDestination: when the address leads to no account.
        :raises TokenError: see :meth:`transfer`.
        """
        dest = _destination(call.dest)
        info = self._system.account.get(store, origin.account)
        movable = _movable(info, keep_alive=call.keep_alive)
        self.transfer(store, origin.account, dest, movable, keep_alive=call.keep_alive)

    # Routines

    def free(self, store: Reader, account: AccountId) -> int:
        """What the account has and has not set aside."""
        return int(self._system.account.get(store, account).data.free)

    def spendable(self, store: Reader, account: AccountId) -> int:
        """What the account may spend and still be."""
        return spendable(self._system.account.get(store, account))

    def reserved(self, store: Reader, account: AccountId) -> int:
        """What the account has set aside, as a stake."""
        return int(self._system.account.get(store, account).data.reserved)

    def transfer(
        self, store: Overlay, source: AccountId, dest: AccountId, amount: int, *, keep_alive: bool
    ) -> None:
        """:raises TokenError: when the source has less, or must keep it, or the destination would
        have too little to be.
        """
        giver = self._system.account.get(store, source)
        if amount > giver.data.free:
            raise TokenError(TokenReason.FUNDS_UNAVAILABLE, source, amount)
        if amount > _movable(giver, keep_alive=False):
            raise TokenError(TokenReason.FROZEN, source, amount)
        if keep_alive and giver.data.free - amount < EXISTENTIAL_DEPOSIT:
            raise TokenError(TokenReason.NOT_EXPENDABLE, source, amount)
        taker = self._system.account.get(store, dest)
        if amount and taker.data.free + amount < EXISTENTIAL_DEPOSIT:
            raise TokenError(TokenReason.BELOW_MINIMUM, dest, amount)
        if source == dest:
            return
        if amount:
            self._put(store, source, giver, free=giver.data.free - amount)
            self._put(store, dest, taker, free=taker.data.free + amount)
        self._system.deposit_event(store, Transfer(source, dest, U128(amount)))

    def reserve(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Set aside some of what an account may spend. It has been found to have it."""
        info = self._system.account.get(store, account)
        if amount > spendable(info):
            raise RuntimeBug(f"{account.hex()} cannot set aside {amount}")
        free, reserved = info.data.free - amount, info.data.reserved + amount
        self._put(store, account, info, free=free, reserved=reserved)

    def unreserve(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Give back what has been set aside."""
        info = self._reserving(store, account, amount)
        free, reserved = info.data.free + amount, info.data.reserved - amount
        self._put(store, account, info, free=free, reserved=reserved)

    def burn_reserved(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Take from what an account has set aside what nobody gets."""
        info = self._reserving(store, account, amount)
        self._put(store, account, info, free=info.data.free, reserved=info.data.reserved - amount)
        self._retire(store, amount)

    def burn(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Take from an account what nobody gets. Its owner has been found to have it."""
        info = self._system.account.get(store, account)
        if amount > spendable(info):
            raise RuntimeBug(f"{account.hex()} cannot pay {amount}, which was looked at before")
        self._put(store, account, info, free=info.data.free - amount)
        self._retire(store, amount)

    def mint(self, store: Overlay, account: AccountId, amount: int) -> bool:
        """Make new units for an account; not when it would have too few to be with them."""
        info = self._system.account.get(store, account)
        if info.data.free + amount < EXISTENTIAL_DEPOSIT:
            return False
        self._put(store, account, info, free=info.data.free + amount)
        self.total_issuance.mutate(store, lambda issued: U128(issued + amount))
        return True

    def _retire(self, store: Overlay, amount: int) -> None:
        self.total_issuance.mutate(store, lambda issued: U128(issued - amount))

    def _reserving(self, store: Reader, account: AccountId, amount: int) -> AccountInfo:
        info = self._system.account.get(store, account)
        if amount > info.data.reserved:
            raise RuntimeBug(f"{account.hex()} has not set aside {amount}")
        return info

    def _put(
        self,
        store: Overlay,
        account: AccountId,
        before: AccountInfo,
        *,
        free: int,
        reserved: int | None = None,
    ) -> None:
        """What an account has from now on. All changes pass here: an account begins and ends with
        the existential deposit."""
        after = _with(before, free, before.data.reserved if reserved is None else reserved)
        if free >= EXISTENTIAL_DEPOSIT:
            self._system.account.put(store, account, after)
            if not before.providers:
                self._system.deposit_event(store, NewAccount(account))
                self._system.deposit_event(store, Endowed(account, U128(free)))
            return
        if after.consumers:
            raise RuntimeBug(f"{account.hex()} cannot end, it is needed: {after}")
        self._system.account.remove(store, account)
        self._system.deposit_event(store, KilledAccount(account))
        if free:
            self._retire(store, free)
            self._system.deposit_event(store, DustLost(account, U128(free)))

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when accounts have another sum than has been issued, or one is there
        with too little, or its counts are others than its balance gives.
        """
        held = 0
        for account, info in self._system.account.iterate(store):
            data = info.data
            held += data.free + data.reserved
            if data.free < EXISTENTIAL_DEPOSIT:
                raise RuntimeBug(f"Balances: {account.hex()} is there with {data}")
            if info != _with(info, data.free, data.reserved):
                raise RuntimeBug(f"Balances: the counts of {account.hex()} are wrong: {info}")
        issued = self.total_issuance.get(store)
        if held != issued:
            raise RuntimeBug(f"Balances: accounts hold {held} together, TotalIssuance is {issued}")


def spendable(info: AccountInfo) -> int:
    """What an account may spend and still be: fees, stakes."""
    return _movable(info, keep_alive=True)


def _movable(info: AccountInfo, *, keep_alive: bool) -> int:
    """What is free of an account but for what must stay: what is frozen, and the existential
    deposit if it shall go on to be or is needed."""
    kept = EXISTENTIAL_DEPOSIT if keep_alive or info.consumers else 0
    return max(info.data.free - max(info.data.frozen, kept), 0)


def _with(info: AccountInfo, free: int, reserved: int) -> AccountInfo:
    """An account that has so much: it is needed as long as not all is its to spend."""
    data = replace(info.data, free=U128(free), reserved=U128(reserved))
    is_needed = reserved or data.frozen
    return replace(info, providers=U32(1), consumers=U32(1 if is_needed else 0), data=data)


def _destination(address: MultiAddress) -> AccountId:
    account = lookup(address)
    if account is None:
        raise UnknownDestination(address)
    return account
