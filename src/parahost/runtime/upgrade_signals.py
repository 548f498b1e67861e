"""What a parachain's runtime reads from the relay chain's state about its code upgrades (D29).

Everything else that it reads there is stored by the module whose it is, under Polkadot's key and
in Polkadot's form: ``Babe`` (``CurrentSlot``, ``EpochIndex``, randomness, authorities),
``Configuration.ActiveConfig``, ``Paras.Heads``. Message queues (``Dmp``, ``Hrmp``) are absent,
which reads as empty.
"""

from __future__ import annotations

from enum import IntEnum

from parahost.primitives.basic import ParaId
from parahost.runtime.module import Module
from parahost.runtime.parachains.paras import Paras
from parahost.runtime.storage import Overlay, Reader, StorageMap
from parahost.runtime.system import System

# Types


class UpgradeGoAhead(IntEnum):
    ABORT = 0
    GO_AHEAD = 1


class UpgradeRestriction(IntEnum):
    PRESENT = 0


class UpgradeSignals(Module, pallet=Paras.pallet):
    """What a para's runtime reads about its code upgrades."""

    # Storage

    go_ahead = StorageMap("UpgradeGoAheadSignal", ParaId, UpgradeGoAhead)
    """The planned code holds for the next block of the para: it should switch."""
    restriction = StorageMap("UpgradeRestrictionSignal", ParaId, UpgradeRestriction)
    """The para may not announce new code now."""

    def __init__(self, system: System, paras: Paras) -> None:
        self._system = system
        self._paras = paras

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Set and clear the signals for candidates whose relay parent is this block."""
        for para in self._concerned(store):
            if self._is_due(store, para):
                self.go_ahead.put(store, para, UpgradeGoAhead.GO_AHEAD)
            else:
                self.go_ahead.remove(store, para)
            if self._is_restricted(store, para):
                self.restriction.put(store, para, UpgradeRestriction.PRESENT)
            else:
                self.restriction.remove(store, para)

    # Routines

    def _concerned(self, store: Reader) -> list[ParaId]:
        """The paras that have, had or plan another code, or see a signal."""
        return sorted(
            {
                *self._paras.future_code_upgrades.keys(store),
                *self._paras.past_code_meta.keys(store),
                *self.go_ahead.keys(store),
                *self.restriction.keys(store),
            }
        )

    def _is_due(self, store: Reader, para: ParaId) -> bool:
        expected_at = self._paras.future_code_upgrades.get(store, para)
        return expected_at is not None and expected_at <= self._system.block_number(store)

    def _is_restricted(self, store: Reader, para: ParaId) -> bool:
        """Whether Inclusion would refuse new code of a candidate on this block (A45)."""
        allowed_from = self._paras.new_code_allowed_from(store, para)
        return (
            self._paras.is_registered(store, para)
            and self._system.block_number(store) < allowed_from
        )
