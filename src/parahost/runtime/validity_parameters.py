"""ValidityParameters: how candidates are checked, how disputes run, and what wrong-doing costs.

Constant within a session, like the host's configuration, and changed by governance in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.configuration import OutOfBounds
from parahost.primitives.validity_configuration import (
    PARTS_PER_BILLION,
    Penalties,
    Perbill,
    ValidityConfiguration,
    validity_breach,
)
from parahost.runtime.errors import ModuleError, RuntimeBug
from parahost.runtime.module import Module, RuntimeCall, call, entry_point
from parahost.runtime.origin import Root
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.weights import micros

# Types


class BadValidityConfiguration(ModuleError, index=0):
    """A value is out of its bounds."""

    def __init__(self, reason: OutOfBounds) -> None:
        super().__init__(str(reason))
        self.reason = reason


@call(0, "set_validity_configuration", weight=micros(160))
@dataclass(frozen=True, slots=True)
class SetValidityConfiguration(RuntimeCall):
    """Set all parameters, from the next session on."""

    new: ValidityConfiguration


DEFAULT_VALIDITY_CONFIGURATION: Final = ValidityConfiguration(
    approval=ApprovalParameters(
        needed_approvals=U32(0),
        relay_vrf_modulo_samples=U32(2),
        n_delay_tranches=U32(25),
        zeroth_delay_tranche_width=U32(0),
        tranches_per_slot=U32(12),
        no_show_slots=U32(2),
    ),
    dispute_period=BlockNumber(U32(100)),
    late_vote_period=BlockNumber(U32(20)),
    remote_availability_period=BlockNumber(U32(20)),
    penalties=Penalties(
        backed_invalid=Perbill(U32(PARTS_PER_BILLION)),
        voted_for_invalid=Perbill(U32(PARTS_PER_BILLION)),
        voted_against_valid=Perbill(U32(PARTS_PER_BILLION // 100)),
        double_vote=Perbill(U32(PARTS_PER_BILLION // 10)),
        disputed_unavailable=Perbill(U32(PARTS_PER_BILLION // 100)),
        distraction=Perbill(U32(PARTS_PER_BILLION // 1000)),
        not_voted=Perbill(U32(PARTS_PER_BILLION // 2000)),
    ),
    reward=Perbill(U32(PARTS_PER_BILLION // 10)),
)
"""What a chain has whose genesis says nothing else. It asks for no checks as long as the nodes make
none."""


class ValidityParameters(Module, pallet=Pallet(73, "ValidityParameters")):
    """The parameters of checks, disputes and penalties, constant within a session."""

    calls = (SetValidityConfiguration,)
    errors = (BadValidityConfiguration,)

    # Storage

    current_item = StorageValue(
        "Current", ValidityConfiguration, default=DEFAULT_VALIDITY_CONFIGURATION
    )
    """This session's."""
    pending = StorageValue("Pending", ValidityConfiguration)
    """To be applied when the session changes."""

    # Genesis

    def genesis(self, store: Overlay, config: ValidityConfiguration) -> None:
        """:raises BadValidityConfiguration: when a value is out of its bounds."""
        _check(config)
        self.current_item.put(store, config)

    # Session change

    def on_session_change(self, store: Overlay) -> None:
        """Apply what governance has set."""
        pending = self.pending.take(store)
        if pending is not None:
            self.current_item.put(store, pending)

    # Entry points

    @entry_point(SetValidityConfiguration, origin=Root)
    def set_validity_configuration(
        self, store: Overlay, _origin: Root, call: SetValidityConfiguration
    ) -> None:
        """:raises BadValidityConfiguration: when a value is out of its bounds."""
        _check(call.new)
        self.pending.put(store, call.new)

    # Routines

    def current(self, store: Reader) -> ValidityConfiguration:
        """The parameters of this session."""
        return self.current_item.get(store)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when a stored value is out of its bounds."""
        for config in (self.current(store), self.pending.get(store)):
            if config is not None and (reason := validity_breach(config)):
                raise RuntimeBug(f"ValidityParameters: {reason}")


def _check(config: ValidityConfiguration) -> None:
    reason = validity_breach(config)
    if reason is not None:
        raise BadValidityConfiguration(reason)
