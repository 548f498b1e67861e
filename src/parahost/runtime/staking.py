"""Staking: what validators put at stake.

A stake is a part of its owner's balance that is set aside (``reserved``) and that a slash burns.
Who takes it back waits: as long as the accounts of a session are known, somebody may be judged for
what it did in that session, and until then all that was at stake in it can be slashed. So who
validates takes nothing back before the last session in which it did cannot be judged any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final

from parahost.primitives.basic import U32, U128, SessionIndex
from parahost.primitives.scale import MaxLen
from parahost.primitives.validity_configuration import Perbill, part_of
from parahost.runtime.balances import Amount, Balances, Endowment
from parahost.runtime.errors import ModuleError, RuntimeBug
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
from parahost.runtime.session import Session
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageMap
from parahost.runtime.system import System
from parahost.runtime.weights import micros

# Types

MAX_UNLOCKING: Final = 32
"""Parts of one stake that may be on their way back at a time: one for each session that can be
judged, which are seven but for disputes that are open for long, and one for all before."""


@dataclass(frozen=True, slots=True)
class Unlocking:
    """A part of a stake that goes back when ``session`` cannot be judged any more."""

    amount: U128
    session: SessionIndex


@dataclass(frozen=True, slots=True)
class Ledger:
    """One account's stake. All of it can be slashed."""

    active: U128
    unlocking: Annotated[tuple[Unlocking, ...], MaxLen(MAX_UNLOCKING)] = ()

    @property
    def total(self) -> int:
        return self.active + sum(part.amount for part in self.unlocking)

    def slashed(self, amount: int) -> Ledger:
        """With so much less: of what is active first, then of what began to unlock last."""
        from_active = min(amount, self.active)
        left, kept = amount - from_active, []
        for part in reversed(self.unlocking):
            taken = min(left, part.amount)
            left -= taken
            if part.amount > taken:
                kept.append(replace(part, amount=U128(part.amount - taken)))
        return Ledger(U128(self.active - from_active), tuple(reversed(kept)))


NO_STAKE: Final = Ledger(U128(0))


class BadStake(ValueError):
    """The stakes of the genesis are none that their owners could set aside."""


class NotEnough(ModuleError, index=0):
    """The sender has less than that."""

    def __init__(self, amount: int, has: int) -> None:
        super().__init__(f"the sender has {has}, not {amount}")
        self.amount = amount
        self.has = has


class NothingToMove(ModuleError, index=1):
    """It would change nothing."""


class TooManyParts(ModuleError, index=2):
    """Parts of the stake are on their way back from so many sessions already."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} parts of the stake unlock already")
        self.limit = limit


class InOffice(ModuleError, index=3):
    """The sender validates, is to do so, or did in a session that can be judged: all that it has at
    stake stays there."""


@call(0, "bond", weight=micros(160))
@dataclass(frozen=True, slots=True)
class Bond(RuntimeCall):
    """Put more of the sender's balance at stake."""

    value: Amount


@call(2, "unbond", weight=micros(160))
@dataclass(frozen=True, slots=True)
class Unbond(RuntimeCall):
    """Begin to take back a part of the sender's stake. It can be slashed until it is free."""

    value: Amount


@call(3, "withdraw_unbonded", weight=micros(400))
@dataclass(frozen=True, slots=True)
class WithdrawUnbonded(RuntimeCall):
    """Free what has waited long enough."""


@event(0)
@dataclass(frozen=True, slots=True)
class Bonded(RuntimeEvent):
    """An account has put something at stake."""

    stash: AccountId
    amount: U128


@event(1)
@dataclass(frozen=True, slots=True)
class Unbonded(RuntimeEvent):
    """An account begins to take something back."""

    stash: AccountId
    amount: U128


@event(2)
@dataclass(frozen=True, slots=True)
class Withdrawn(RuntimeEvent):
    """An account has got something back."""

    stash: AccountId
    amount: U128


@event(3)
@dataclass(frozen=True, slots=True)
class Slashed(RuntimeEvent):
    """An account has lost a part of its stake."""

    staker: AccountId
    amount: U128


@event(4)
@dataclass(frozen=True, slots=True)
class Rewarded(RuntimeEvent):
    """An account has got a share of what others have lost."""

    stash: AccountId
    amount: U128


class Staking(Module, pallet=Pallet(7, "Staking")):
    """What validators put at stake."""

    calls = (Bond, Unbond, WithdrawUnbonded)
    events = (Bonded, Unbonded, Withdrawn, Slashed, Rewarded)
    errors = (NotEnough, NothingToMove, TooManyParts, InOffice)

    # Constants

    max_unlocking = Constant("MaxUnlockingChunks", U32, U32(MAX_UNLOCKING))
    """Sessions from which parts of one stake may be on their way back at a time."""

    # Storage

    ledger = StorageMap(
        "Ledger", AccountId, Ledger, hasher=Hasher.BLAKE2_128_CONCAT, default=NO_STAKE
    )
    """Every account's stake: its reserved balance, and since when which part of it unlocks."""

    def __init__(self, system: System, balances: Balances, session: Session) -> None:
        self._system = system
        self._balances = balances
        self._session = session

    # Genesis

    def genesis(self, store: Overlay, stakes: Iterable[Endowment]) -> None:
        """Put parts of the genesis balances at stake.

        :raises BadStake: when an amount is none, or more than its owner has.
        """
        for account, amount in stakes:
            free = self._balances.spendable(store, account)
            if not 0 < amount <= free:
                raise BadStake(f"{account.hex()} has {free} and cannot bond {amount}")
            self._add(store, account, amount)

    # Entry points

    @entry_point(Bond, origin=Signed)
    def bond(self, store: Overlay, origin: Signed, call: Bond) -> None:
        """:raises NotEnough: when the sender may not spend so much.
        :raises NothingToMove: when it is nothing.
        """
        free = self._balances.spendable(store, origin.account)
        if call.value > free:
            raise NotEnough(call.value, free)
        if not call.value:
            raise NothingToMove
        self._add(store, origin.account, call.value)
        self._system.deposit_event(store, Bonded(origin.account, U128(call.value)))

    @entry_point(Unbond, origin=Signed)
    def unbond(self, store: Overlay, origin: Signed, call: Unbond) -> None:
        """:raises NotEnough: when the sender's active stake is less.
        :raises NothingToMove: when it is nothing.
        :raises TooManyParts: when so many parts unlock already.
        """
        before = self.ledger.get(store, origin.account)
        if call.value > before.active:
            raise NotEnough(call.value, before.active)
        if not call.value:
            raise NothingToMove
        part = Unlocking(U128(call.value), self._session.index(store))
        unlocking = self._together(store, (*before.unlocking, part))
        if len(unlocking) > MAX_UNLOCKING:
            raise TooManyParts(MAX_UNLOCKING)
        after = Ledger(U128(before.active - call.value), unlocking)
        self.ledger.put(store, origin.account, after)
        self._system.deposit_event(store, Unbonded(origin.account, U128(call.value)))

    @entry_point(WithdrawUnbonded, origin=Signed)
    def withdraw_unbonded(self, store: Overlay, origin: Signed, _call: WithdrawUnbonded) -> None:
        """:raises InOffice: when the sender may be judged for what it does or did as a validator.
        :raises NothingToMove: when no part has waited long enough.
        """
        if self._session.may_be_judged(store, origin.account):
            raise InOffice
        before = self.ledger.get(store, origin.account)
        kept = tuple(
            part for part in before.unlocking if self._session.can_be_judged(store, part.session)
        )
        after = replace(before, unlocking=kept)
        freed = before.total - after.total
        if not freed:
            raise NothingToMove
        self._put(store, origin.account, after)
        self._balances.unreserve(store, origin.account, freed)
        self._system.deposit_event(store, Withdrawn(origin.account, U128(freed)))

    # Routines

    def stake(self, store: Reader, account: AccountId) -> int:
        """All that the account can lose."""
        return self.ledger.get(store, account).total

    def slash(self, store: Overlay, account: AccountId, part: Perbill) -> int:
        """Burn a part of what the account has at stake; gives how much that was."""
        before = self.ledger.get(store, account)
        amount = part_of(part, before.total)
        if amount:
            self._put(store, account, before.slashed(amount))
            self._balances.burn_reserved(store, account, amount)
            self._system.deposit_event(store, Slashed(account, U128(amount)))
        return amount

    def reward(self, store: Overlay, account: AccountId, amount: int) -> None:
        """Give an account a share of what has been slashed."""
        if amount and self._balances.mint(store, account, amount):
            self._system.deposit_event(store, Rewarded(account, U128(amount)))

    def _together(self, store: Reader, parts: Iterable[Unlocking]) -> tuple[Unlocking, ...]:
        """The parts in their order, those as one that come free at one time: of one session, or of
        any that cannot be judged any more, if their owner has to wait all the same. So there are
        never many more of them than sessions that can be judged."""
        merged: list[Unlocking] = []
        for part in parts:
            is_over = not self._session.can_be_judged(store, part.session)
            amount = part.amount
            if merged and (is_over or merged[-1].session == part.session):
                amount = U128(merged.pop().amount + amount)
            merged.append(replace(part, amount=amount))
        return tuple(merged)

    def _add(self, store: Overlay, account: AccountId, amount: int) -> None:
        self._balances.reserve(store, account, amount)
        self.ledger.mutate(
            store, account, lambda ledger: replace(ledger, active=U128(ledger.active + amount))
        )

    def _put(self, store: Overlay, account: AccountId, ledger: Ledger) -> None:
        if ledger.total:
            self.ledger.put(store, account, ledger)
        else:
            self.ledger.remove(store, account)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when a stake is not what its owner has set aside."""
        for account, info in self._system.account.iterate(store):
            if info.data.reserved != self.stake(store, account):
                raise RuntimeBug(
                    f"Staking: {account.hex()} has {info.data.reserved} set aside, "
                    f"{self.stake(store, account)} at stake"
                )
        for account, ledger in self.ledger.iterate(store):
            if not ledger.total or ledger.total != self._balances.reserved(store, account):
                raise RuntimeBug(f"Staking: {account.hex()} has the stake {ledger}")
