"""Sudo: governance by a root key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from parahost.primitives.scale import variant
from parahost.runtime.errors import DispatchError, ModuleError
from parahost.runtime.events import KeyChanged, Sudid, refusal_of
from parahost.runtime.origin import AccountId, Origin, Root, ensure_signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import ConfigurationCall
from parahost.runtime.registrar import RegistrarCall
from parahost.runtime.session import SessionCall
from parahost.runtime.storage import Module, Overlay, StorageValue
from parahost.runtime.system import System
from parahost.runtime.weights import call_weight, micros, weighs

# Types

GovernedCall = SessionCall | ConfigurationCall | RegistrarCall
"""What governance may call: what asks for it, and what its modules offer besides."""


class NotTheKey(ModuleError, pallet="Sudo", index=0):
    """The sender does not have the root key."""

    def __init__(self, sender: AccountId) -> None:
        super().__init__(f"{sender.hex()} is not the root key")
        self.sender = sender


@variant(Pallet.Sudo, 0)
@weighs(lambda call: micros(80) + call_weight(call.call))
@dataclass(frozen=True, slots=True)
class SudoCall:
    """Make a call as governance."""

    call: GovernedCall


@variant(Pallet.Sudo, 2)
@weighs(micros(80))
@dataclass(frozen=True, slots=True)
class SetKey:
    """Hand over to another key."""

    new: AccountId


class Sudo(Module, pallet="Sudo"):
    # Storage

    key = StorageValue("Key", AccountId)
    """Without one, nobody governs."""

    def __init__(
        self, system: System, dispatch_as: Callable[[Overlay, Origin, GovernedCall], None]
    ) -> None:
        self._system = system
        self._dispatch_as = dispatch_as

    # Genesis

    def genesis(self, store: Overlay, key: AccountId | None) -> None:
        if key is not None:
            self.key.put(store, key)

    # Entry points

    def dispatch(self, store: Overlay, origin: Origin, call: SudoCall | SetKey) -> None:
        """A governed call that is refused leaves no trace but an event.

        :raises BadOrigin: when the call is not signed.
        :raises NotTheKey: when another key has signed.
        """
        sender = ensure_signed(origin)
        if sender != self.key.get(store):
            raise NotTheKey(sender)
        match call:
            case SudoCall(governed):
                self._govern(store, governed)
            case SetKey(new):
                self.key.put(store, new)
                self._system.deposit_event(store, KeyChanged(sender, new))

    def _govern(self, store: Overlay, call: GovernedCall) -> None:
        try:
            with store.transaction():
                self._dispatch_as(store, Root(), call)
        except DispatchError as error:
            self._system.deposit_event(store, Sudid(refusal_of(error)))
        else:
            self._system.deposit_event(store, Sudid(None))
