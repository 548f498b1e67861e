"""Session: who the validators are, always known one session ahead (D1).

A session is an epoch of BABE. Its end is recognised while a block executes; :meth:`rotate` is
called when that block's other modules have finalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from parahost.primitives.basic import (
    H256,
    U32,
    BabeId,
    GrandpaId,
    SessionIndex,
    ValidatorId,
)
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.scale import FixedLen, MaxLen
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
from parahost.runtime.origin import AccountId, Root, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.weights import micros

SESSIONS_KEPT = 6
"""For how many sessions past keys stay known at least: to judge reports of what was done with
them."""

# Types

BABE_KEY = b"babe"
GRANDPA_KEY = b"gran"
PARA_KEY = b"para"
KeyTypeId = Annotated[bytes, FixedLen(4)]


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys that a validator's node holds: for finality, blocks, and parachains."""

    grandpa: GrandpaId
    babe: BabeId
    para_validator: ValidatorId

    def by_type(self) -> tuple[tuple[bytes, H256], ...]:
        """Each key with its four-letter type."""
        return (
            (GRANDPA_KEY, self.grandpa),
            (BABE_KEY, self.babe),
            (PARA_KEY, self.para_validator),
        )


@dataclass(frozen=True, slots=True)
class Validator:
    """An account that validates, with the keys that it does so with in one session."""

    account: AccountId
    keys: SessionKeys


Validators = tuple[Validator, ...]
"""Positions are authority indices and validator indices."""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What a session's end brings. ``changed``: the validators or their keys are others than
    before."""

    index: SessionIndex
    validators: Validators
    queued: Validators
    changed: bool


class KeyInUse(ModuleError, index=2):
    """The key is another account's already."""

    def __init__(self, key: bytes, owner: AccountId) -> None:
        super().__init__(f"the key {key.hex()} belongs to {owner.hex()}")
        self.key = key
        self.owner = owner


class NoKeys(ModuleError, index=3):
    """The account has not registered keys with ``set_keys``."""

    def __init__(self, account: AccountId) -> None:
        super().__init__(f"{account.hex()} has no session keys; it must set them first")
        self.account = account


class BadValidatorSet(ModuleError, index=4):
    """No validators, too many, or one twice."""


@call(0, "set_keys", weight=micros(250))
@dataclass(frozen=True, slots=True)
class SetKeys(RuntimeCall):
    """Register the keys that the sender will validate with, from the next session but one."""

    keys: SessionKeys


@call(2, "set_validators", weight=lambda call: micros(60) + micros(6) * len(call.validators))
@dataclass(frozen=True, slots=True)
class SetValidators(RuntimeCall):
    """Choose who validates, from the next session but one until further notice."""

    validators: Annotated[tuple[AccountId, ...], MaxLen(MAX_VALIDATORS)]


@event(0)
@dataclass(frozen=True, slots=True)
class NewSession(RuntimeEvent):
    """A session has begun."""

    session_index: SessionIndex


class Session(Module, pallet=Pallet(9, "Session")):
    """Who the validators are, always known one session ahead."""

    calls = (SetKeys, SetValidators)
    events = (NewSession,)
    errors = (KeyInUse, NoKeys, BadValidatorSet)

    # Constants

    max_validators = Constant("MaxValidators", U32, U32(MAX_VALIDATORS))
    """How many validators a session may have."""
    sessions_kept = Constant("SessionsKept", U32, U32(SESSIONS_KEPT))
    """For how many sessions past keys stay known at least."""

    # Storage

    validators = StorageValue("Validators", tuple[AccountId, ...], default=())
    """The accounts that validate in this session."""
    current_index = StorageValue("CurrentIndex", SessionIndex, default=SessionIndex(U32(0)))
    """The number of the session."""
    queued_keys = StorageValue("QueuedKeys", Validators, default=())
    """The validators of the next session."""
    queued_changed = StorageValue("QueuedChanged", bool, default=False)
    """Whether they or their keys are others than this session's."""
    next_keys = StorageMap("NextKeys", AccountId, SessionKeys, hasher=Hasher.BLAKE2_128_CONCAT)
    """The keys that accounts have registered."""
    key_owner = StorageMap(
        "KeyOwner", tuple[KeyTypeId, H256], AccountId, hasher=Hasher.BLAKE2_128_CONCAT
    )
    """Who has registered a key, by its type and itself."""
    chosen = StorageValue("ChosenValidators", tuple[AccountId, ...], default=())
    """Governance's choice."""
    last_in_office = StorageMap(
        "LastInOffice", AccountId, SessionIndex, hasher=Hasher.BLAKE2_128_CONCAT
    )
    """The accounts that have left office, with the last session in which they validated, as long
    as that can be judged."""
    past_keys = StorageMap("PastKeys", SessionIndex, Validators)
    """The validators of this session, of the :data:`SESSIONS_KEPT` before it, and of any other
    whose candidates may still be disputed; without a gap."""

    def __init__(self, system: System) -> None:
        self._system = system

    # Genesis

    def genesis(self, store: Overlay, validators: Validators) -> None:
        """The validators of the first two sessions.

        :raises KeyInUse: when two of them share a key.
        :raises BadValidatorSet: when there are none, too many, or one twice.
        """
        accounts = tuple(validator.account for validator in validators)
        for validator in validators:
            self._register(store, validator.account, validator.keys)
        self._choose(store, accounts)
        self.validators.put(store, accounts)
        self.queued_keys.put(store, validators)
        self.past_keys.put(store, SessionIndex(U32(0)), validators)

    # Entry points

    @entry_point(SetKeys, origin=Signed)
    def set_keys(self, store: Overlay, origin: Signed, call: SetKeys) -> None:
        """:raises KeyInUse: when another account has the key."""
        self._register(store, origin.account, call.keys)

    @entry_point(SetValidators, origin=Root)
    def set_validators(self, store: Overlay, _origin: Root, call: SetValidators) -> None:
        """:raises BadValidatorSet: when there are none, too many, or one twice.
        :raises NoKeys: when one of them has not set its keys.
        """
        self._choose(store, call.validators)

    # Routines

    def index(self, store: Reader) -> SessionIndex:
        """The session of the block that executes; between blocks, that of the last one's
        children (D1)."""
        return self.current_index.get(store)

    def current(self, store: Reader) -> Validators:
        """The validators of this session."""
        return self.past_keys.get(store, self.current_index.get(store)) or ()

    def can_be_judged(self, store: Reader, session: SessionIndex) -> bool:
        """Whether it is known who the validators of the session were."""
        return self.past_keys.contains(store, session)

    def may_be_judged(self, store: Reader, account: AccountId) -> bool:
        """Whether the account validates, is to do so, or did in a session that can be judged."""
        return (
            account in self.validators.get(store)
            or account in self.chosen.get(store)
            or self.last_in_office.contains(store, account)
            or any(account == validator.account for validator in self.queued(store))
        )

    def queued(self, store: Reader) -> Validators:
        """The validators of the next session."""
        return self.queued_keys.get(store)

    def owner_of(self, store: Reader, key_type: bytes, key: H256) -> AccountId | None:
        """The account that has registered the key, or that is or was in office with it."""
        owner = self.key_owner.get(store, (key_type, key))
        if owner is not None:
            return owner
        for validator in self.queued(store):
            if (key_type, key) in validator.keys.by_type():
                return validator.account
        current = self.index(store)
        for index in range(current, max(-1, current - SESSIONS_KEPT - 1), -1):
            past = self.in_office(store, SessionIndex(U32(index)), key_type, key)
            if past is not None:
                return past.account
        return None

    def in_office(
        self, store: Reader, session: SessionIndex, key_type: bytes, key: H256
    ) -> Validator | None:
        """The validator that had the key in that session."""
        for validator in self.past_keys.get(store, session) or ():
            if (key_type, key) in validator.keys.by_type():
                return validator
        return None

    def rotate(self, store: Overlay, needed_from: SessionIndex) -> SessionChange:
        """End the session. The queued validators take over; those that governance has chosen by
        now, with the keys that they have set by now, are queued. Sessions from ``needed_from`` on
        are remembered, however long ago they were."""
        ending = self.current(store)
        validators = self.queued_keys.get(store)
        index = SessionIndex(U32(self.current_index.get(store) + 1))
        queued = self._chosen_with_keys(store)
        self._note_who_leaves(store, ending, validators)

        self.current_index.put(store, index)
        self.validators.put(store, tuple(validator.account for validator in validators))
        self.past_keys.put(store, index, validators)
        self._forget_before(store, min(index - SESSIONS_KEPT, needed_from))
        self.queued_keys.put(store, queued)
        self.queued_changed.put(store, queued != validators)
        self._system.deposit_event(store, NewSession(index))
        return SessionChange(index, validators, queued, changed=validators != ending)

    def _note_who_leaves(self, store: Overlay, ending: Validators, coming: Validators) -> None:
        staying = {validator.account for validator in coming}
        last = self.current_index.get(store)
        for validator in ending:
            if validator.account not in staying:
                self.last_in_office.put(store, validator.account, last)

    def _forget_before(self, store: Overlay, first: int) -> None:
        for account, last in tuple(self.last_in_office.iterate(store)):
            if last < first:
                self.last_in_office.remove(store, account)
        session = first - 1
        while session >= 0 and self.past_keys.contains(store, SessionIndex(U32(session))):
            self.past_keys.remove(store, SessionIndex(U32(session)))
            session -= 1

    def _chosen_with_keys(self, store: Reader) -> Validators:
        found = []
        for account in self.chosen.get(store):
            keys = self.next_keys.get(store, account)
            assert keys is not None, "who is chosen has keys, and keys are never taken back"
            found.append(Validator(account, keys))
        return tuple(found)

    def _register(self, store: Overlay, account: AccountId, keys: SessionKeys) -> None:
        for key_type, key in keys.by_type():
            owner = self.owner_of(store, key_type, key)
            if owner is not None and owner != account:
                raise KeyInUse(key, owner)
        replaced = self.next_keys.get(store, account)
        if replaced is not None:
            for owned in replaced.by_type():
                self.key_owner.remove(store, owned)
        for owned in keys.by_type():
            self.key_owner.put(store, owned, account)
        self.next_keys.put(store, account, keys)

    def _choose(self, store: Overlay, accounts: Sequence[AccountId]) -> None:
        if not 0 < len(accounts) <= MAX_VALIDATORS:
            raise BadValidatorSet(f"{len(accounts)} validators; 1 to {MAX_VALIDATORS} are allowed")
        if len(set(accounts)) != len(accounts):
            raise BadValidatorSet("an account is twice among the validators")
        for account in accounts:
            if not self.next_keys.contains(store, account):
                raise NoKeys(account)
        self.chosen.put(store, tuple(accounts))

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the validators of the sessions and their keys do not fit."""
        accounts = tuple(validator.account for validator in self.current(store))
        if not accounts or accounts != self.validators.get(store):
            raise RuntimeBug(f"Session: validators {self.validators.get(store)} are {accounts}")
        for validator in (*self.current(store), *self.queued(store)):
            for key_type, key in validator.keys.by_type():
                if self.owner_of(store, key_type, key) != validator.account:
                    raise RuntimeBug(f"Session: {key.hex()} is not {validator.account.hex()}'s")
