"""Initializer: the order in which the host's modules begin, end, and change session (A1-A5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from parahost.primitives.basic import H256, SessionIndex, ValidatorId
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.inclusion import Inclusion
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.paras import Paras
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.parachains.validity import Validity
from parahost.runtime.storage import Overlay, Reader, StorageValue

# Types


class HostModule(Protocol):
    """A module that the Initializer leads through the block."""

    def initialize(self, store: Overlay) -> None: ...

    def finalize(self, store: Overlay) -> None: ...

    def on_session_change(
        self, store: Overlay, notification: SessionChangeNotification
    ) -> None: ...


class SessionChangeTooLate(RuntimeBug):
    """A session change arrived after initialisation: the modules have already worked under the
    old session (A3)."""

    def __init__(self, session_index: SessionIndex) -> None:
        super().__init__(f"session {session_index} begins between initialisation and finalisation")
        self.session_index = session_index


class Initializer(Module, pallet=Pallet(57, "Initializer")):
    """The order in which the host's modules begin, end, and change session."""

    # Storage

    has_initialized = StorageValue("HasInitialized", bool, default=False)
    """Between the initialisation and the finalisation of a block."""

    def __init__(
        self,
        configuration: Configuration,
        paras: Paras,
        scheduler: Scheduler,
        inclusion: Inclusion,
        validity: Validity,
    ) -> None:
        self.configuration = configuration
        self.paras = paras
        self.in_order: Sequence[HostModule] = (
            configuration,
            paras,
            scheduler,
            inclusion,
            validity,
        )

    # Session change

    def notification(
        self,
        store: Reader,
        *,
        session_index: SessionIndex,
        validators: Sequence[ValidatorId],
        queued: Sequence[ValidatorId],
        random_seed: H256,
    ) -> SessionChangeNotification:
        """What to announce when session ``session_index`` begins now (A4)."""
        return SessionChangeNotification(
            session_index=session_index,
            validators=tuple(validators),
            queued=tuple(queued),
            prev_config=self.configuration.configuration(store),
            new_config=self.configuration.next_configuration(store),
            outgoing=self.paras.outgoing_paras.get(store),
            random_seed=random_seed,
        )

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Forward a session change in the order of initialisation.

        :raises SessionChangeTooLate: between initialisation and finalisation (A3, D1).
        """
        if self.has_initialized.get(store):
            raise SessionChangeTooLate(notification.session_index)
        for module in self.in_order:
            module.on_session_change(store, notification)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Configuration, Paras, Scheduler, Inclusion, Validity (A2)."""
        for module in self.in_order:
            module.initialize(store)
        self.has_initialized.put(store, True)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """The same in reverse (A5)."""
        for module in reversed(self.in_order):
            module.finalize(store)
        self.has_initialized.kill(store)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when a block has ended without finalisation."""
        if self.has_initialized.get(store):
            raise RuntimeBug("Initializer: HasInitialized outlives its block")
