"""Sudo: governance by a root key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from parahost.primitives.scale import FormOf
from parahost.runtime.dispatch import DispatchRefusal, refusal_of
from parahost.runtime.errors import DispatchError, ModuleError
from parahost.runtime.module import (
    Module,
    RuntimeCall,
    RuntimeEvent,
    call,
    call_weight,
    entry_point,
    event,
)
from parahost.runtime.origin import AccountId, Origin, Root, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import System
from parahost.runtime.weights import micros

# Types


class NestedCall:
    """Every call but those that make others, so that a call holds one other at most.
    :mod:`parahost.runtime.modules` completes it."""

    __slots__ = ()
    __scale_members__: ClassVar[tuple[type, ...]] = ()


GovernedCall = Annotated[RuntimeCall, FormOf(NestedCall)]
"""What governance may be asked to call. Its entry point says whether the root may: a transfer, say,
is refused, as it has no sender to take from."""


class NotTheKey(ModuleError, index=0):
    """The sender does not have the root key."""

    def __init__(self, sender: AccountId) -> None:
        super().__init__(f"{sender.hex()} is not the root key")
        self.sender = sender


@call(0, "sudo", weight=lambda call: micros(80) + call_weight(call.call))
@dataclass(frozen=True, slots=True)
class SudoCall(RuntimeCall):
    """Make a call as governance. If its entry point does not take the root for its origin, it is
    refused with `BadOrigin`, which the event says."""

    call: GovernedCall


@call(2, "set_key", weight=micros(80))
@dataclass(frozen=True, slots=True)
class SetKey(RuntimeCall):
    """Hand over to another key."""

    new: AccountId


@event(0)
@dataclass(frozen=True, slots=True)
class Sudid(RuntimeEvent):
    """Governance has made a call; ``error`` is ``None`` if it succeeded."""

    error: DispatchRefusal | None


@event(1)
@dataclass(frozen=True, slots=True)
class KeyChanged(RuntimeEvent):
    """Governance has gone over to another key."""

    old: AccountId | None
    new: AccountId | None


class Sudo(Module, pallet=Pallet(255, "Sudo")):
    """Governance by a root key."""

    calls = (SudoCall, SetKey)
    events = (Sudid, KeyChanged)
    errors = (NotTheKey,)

    # Storage

    key = StorageValue("Key", AccountId)
    """Without one, nobody governs."""

    def __init__(
        self, system: System, dispatch_as: Callable[[Overlay, Origin, RuntimeCall], None]
    ) -> None:
        self._system = system
        self._dispatch_as = dispatch_as

    # Genesis

    def genesis(self, store: Overlay, key: AccountId | None) -> None:
        if key is not None:
            self.key.put(store, key)

    # Entry points

    @entry_point(SudoCall, origin=Signed)
    def sudo(self, store: Overlay, origin: Signed, call: SudoCall) -> None:
        """A governed call that is refused leaves no trace but an event.

        :raises NotTheKey: when another key has signed.
        """
        self._check_key(store, origin.account)
        try:
            with store.transaction():
                self._dispatch_as(store, Root(), call.call)
        except DispatchError as error:
            self._system.deposit_event(store, Sudid(refusal_of(error)))
        else:
            self._system.deposit_event(store, Sudid(None))

    @entry_point(SetKey, origin=Signed)
    def set_key(self, store: Overlay, origin: Signed, call: SetKey) -> None:
        """:raises NotTheKey: when another key has signed."""
        self._check_key(store, origin.account)
        self.key.put(store, call.new)
        self._system.deposit_event(store, KeyChanged(origin.account, call.new))

    def _check_key(self, store: Reader, sender: AccountId) -> None:
        if sender != self.key.get(store):
            raise NotTheKey(sender)
