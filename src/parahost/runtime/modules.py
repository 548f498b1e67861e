"""The runtime's modules and how they know each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import ValidatorId
from parahost.runtime.authorship import Authorship
from parahost.runtime.babe import Babe
from parahost.runtime.balances import Balances
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.grandpa import Grandpa
from parahost.runtime.offences import Offences
from parahost.runtime.origin import Origin
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.host import Parachains
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parathreads import Parathreads
from parahost.runtime.registrar import Registrar
from parahost.runtime.session import Session, SessionChange, Validators
from parahost.runtime.storage import Module, Overlay, Reader
from parahost.runtime.sudo import Sudo
from parahost.runtime.system import System
from parahost.runtime.timestamp import Timestamp
from parahost.runtime.transaction_payment import TransactionPayment
from parahost.runtime.upgrade_signals import UpgradeSignals

Dispatch = Callable[[Overlay, Origin, Any], None]
"""A module's entry points: each module takes its own calls only."""


class Modules:
    """One instance of each module; they have no state of their own."""

    def __init__(self, verifier: Verifier, dispatch_as: Dispatch) -> None:
        """``dispatch_as`` runs a call for governance."""
        self.system = System()
        self.balances = Balances(self.system)
        self.transaction_payment = TransactionPayment(self.system, self.balances)
        self.session = Session(self.system)
        self.offences = Offences(self.system)
        self.babe = Babe(self.system, self.session, self.offences, verifier)
        self.timestamp = Timestamp(self.babe)
        self.authorship = Authorship(self.babe, self.session)
        self.grandpa = Grandpa(self.system, self.session, self.offences, verifier)
        self.parachains = Parachains(self.system, verifier, self.authorship.vrf_output)
        paras, configuration = self.parachains.paras, self.parachains.configuration
        self.upgrade_signals = UpgradeSignals(self.system, paras)
        self.registrar = Registrar(self.system, configuration, paras)
        self.parathreads = Parathreads(self.system, self.parachains.scheduler)
        self.sudo = Sudo(self.system, dispatch_as)

        self.entry_points: dict[Pallet, Dispatch] = {
            Pallet.Babe: self.babe.dispatch,
            Pallet.Timestamp: self.timestamp.dispatch,
            Pallet.Session: self.session.dispatch,
            Pallet.Grandpa: self.grandpa.dispatch,
            Pallet.Configuration: configuration.dispatch,
            Pallet.ParaInherent: self.parachains.inclusion_inherent.dispatch,
            Pallet.Registrar: self.registrar.dispatch,
            Pallet.Parathreads: self.parathreads.dispatch,
            Pallet.Sudo: self.sudo.dispatch,
        }

    def __iter__(self) -> Iterator[Module]:
        """All modules, in the order of their numbers; for metadata. Two may share a number."""
        base = [module for module in vars(self).values() if isinstance(module, Module)]
        return iter(sorted((*base, *self.parachains), key=lambda module: Pallet[module.pallet]))

    def notification_of(self, store: Reader, change: SessionChange) -> SessionChangeNotification:
        """A session's change as the parachains' modules are told it (A4)."""
        return self.parachains.initializer.notification(
            store,
            session_index=change.index,
            validators=para_validators(change.validators),
            queued=para_validators(change.queued),
            random_seed=self.babe.random_seed(store, b"paras"),
        )

    def check(self, store: Reader) -> None:
        """Whether what is stored agrees, between blocks; for tests.

        :raises RuntimeBug: with the evidence, when it does not.
        """
        self.balances.check(store)
        self.session.check(store)
        self.babe.check(store)
        self.parachains.check(store)
        for session in self.parachains.validity.sessions.keys(store):
            if not self.session.past_keys.contains(store, session):
                raise RuntimeBug(f"session {session} can be disputed, its accounts are forgotten")


def para_validators(validators: Validators) -> tuple[ValidatorId, ...]:
    """The keys with which the validators sign statements and bitfields."""
    return tuple(validator.keys.para_validator for validator in validators)
