"""Configuration: the host's parameters, constant within a session (A6-A9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Final, get_args

from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.configuration import (
    Breach,
    HostConfiguration,
    breach,
    pov_size_breach,
)
from parahost.primitives.limits import MAX_POV_BYTES
from parahost.runtime.errors import ModuleError, RuntimeBug
from parahost.runtime.module import Constant, Module, RuntimeCall, call, entry_point
from parahost.runtime.origin import Root
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.weights import micros

# Types

MAX_POV_SIZE: Final = U32(MAX_POV_BYTES)
"""Bytes that a proof of validity may have, if the genesis does not say fewer.
``HostConfiguration`` has no field for it."""


class BadConfiguration(ModuleError, index=0):
    """A value is out of its bounds, or several are together (A9)."""

    def __init__(self, reason: Breach) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AbridgedHostConfiguration:
    """What a parachain's runtime reads of the configuration, in Polkadot's encoding (D29). There
    are no messages between chains yet: their limits are zero."""

    max_code_size: U32
    max_head_data_size: U32
    max_upward_queue_count: U32
    max_upward_queue_size: U32
    max_upward_message_size: U32
    max_upward_message_num_per_candidate: U32
    hrmp_max_message_num_per_candidate: U32
    validation_upgrade_cooldown: BlockNumber
    validation_upgrade_delay: BlockNumber
    max_candidate_depth: U32
    allowed_ancestry_len: U32


SET_ONE: Final = micros(160)
"""What setting a value weighs."""


@call(0, "set_validation_upgrade_frequency", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetValidationUpgradeFrequency(RuntimeCall):
    """Set how many blocks lie between two upgrades of a para's code at least."""

    new: BlockNumber


@call(1, "set_validation_upgrade_delay", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetValidationUpgradeDelay(RuntimeCall):
    """Set how many blocks after its relay parent new code is expected."""

    new: BlockNumber


@call(2, "set_acceptance_period", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetAcceptancePeriod(RuntimeCall):
    """Set for how many blocks an included candidate may be disputed."""

    new: BlockNumber


@call(3, "set_max_code_size", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetMaxCodeSize(RuntimeCall):
    """Set how many bytes a validation code may have."""

    new: U32


@call(4, "set_max_head_data_size", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetMaxHeadDataSize(RuntimeCall):
    """Set how many bytes a para's head may have."""

    new: U32


@call(5, "set_parathread_cores", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetParathreadCores(RuntimeCall):
    """Set how many cores parathreads share."""

    new: U32


@call(6, "set_parathread_retries", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetParathreadRetries(RuntimeCall):
    """Set how often a parathread's claim is tried again."""

    new: U32


@call(7, "set_parachain_rotation_frequency", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetParachainRotationFrequency(RuntimeCall):
    """Set how often groups move on by one core; 0 is never."""

    new: BlockNumber


@call(8, "set_chain_availability_period", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetChainAvailabilityPeriod(RuntimeCall):
    """Set in how many blocks a parachain's candidate must become available."""

    new: BlockNumber


@call(9, "set_thread_availability_period", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetThreadAvailabilityPeriod(RuntimeCall):
    """Set in how many blocks a parathread's candidate must become available."""

    new: BlockNumber


@call(10, "set_scheduling_lookahead", weight=SET_ONE)
@dataclass(frozen=True, slots=True)
class SetSchedulingLookahead(RuntimeCall):
    """Set how many claims per parathread core may wait."""

    new: U32


ConfigurationCall = (
    SetValidationUpgradeFrequency
    | SetValidationUpgradeDelay
    | SetAcceptancePeriod
    | SetMaxCodeSize
    | SetMaxHeadDataSize
    | SetParathreadCores
    | SetParathreadRetries
    | SetParachainRotationFrequency
    | SetChainAvailabilityPeriod
    | SetThreadAvailabilityPeriod
    | SetSchedulingLookahead
)
"""``set_`` and its name for each field of ``HostConfiguration`` (A9)."""

DEFAULT_CONFIGURATION: Final = HostConfiguration(
    validation_upgrade_frequency=BlockNumber(U32(20)),
    validation_upgrade_delay=BlockNumber(U32(10)),
    acceptance_period=BlockNumber(U32(50)),
    max_code_size=U32(5 * 1024 * 1024),
    max_head_data_size=U32(32 * 1024),
    parathread_cores=U32(0),
    parathread_retries=U32(1),
    parachain_rotation_frequency=BlockNumber(U32(10)),
    chain_availability_period=BlockNumber(U32(5)),
    thread_availability_period=BlockNumber(U32(5)),
    scheduling_lookahead=U32(2),
)
"""What a chain has whose genesis says nothing else."""


class Configuration(Module, pallet=Pallet(51, "Configuration")):
    """The host's parameters, constant within a session."""

    calls = get_args(ConfigurationCall)
    errors = (BadConfiguration,)

    # Constants

    max_pov_size = Constant("MaxPovSize", U32, MAX_POV_SIZE)
    """Bytes that a proof of validity may have on any chain."""

    # Storage

    current = StorageValue("Configuration", HostConfiguration, default=DEFAULT_CONFIGURATION)
    """This session's."""
    pending = StorageValue("PendingConfiguration", HostConfiguration)
    """To be applied when the session changes."""
    active_config = StorageValue("ActiveConfig", AbridgedHostConfiguration)
    """The well-known key that parachains read; follows ``current``."""
    pov_size_limit = StorageValue("PovSizeLimit", U32, default=MAX_POV_SIZE)
    """Bytes that a proof of validity may have on this chain. The genesis decides it."""

    # Genesis

    def genesis(
        self, store: Overlay, config: HostConfiguration, max_pov_size: U32 = MAX_POV_SIZE
    ) -> None:
        """:raises BadConfiguration: when it is out of its bounds."""
        check_configuration(config)
        if reason := pov_size_breach(max_pov_size):
            raise BadConfiguration(reason)
        self._apply(store, config)
        if max_pov_size != MAX_POV_SIZE:
            self.pov_size_limit.put(store, max_pov_size)

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Apply the pending configuration (A7)."""
        pending = self.pending.take(store)
        if pending is not None:
            self._apply(store, pending)
        if self.configuration(store) != notification.new_config:
            raise RuntimeBug("the notification announces another configuration than is applied")

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Nothing: the configuration is constant within a session."""

    # Entry points

    @entry_point(*get_args(ConfigurationCall), origin=Root)
    def set_field(self, store: Overlay, _origin: Root, call: ConfigurationCall) -> None:
        """Set one field, from the next session on (A9). Only for governance.

        :raises BadConfiguration: when it would be out of its bounds.
        """
        update: dict[str, Any] = {call.declared.name.removeprefix("set_"): call.new}
        self.update_configuration(store, lambda config: replace(config, **update))

    # Routines

    def configuration(self, store: Reader) -> HostConfiguration:
        """The configuration of this session."""
        return self.current.get(store)

    def next_configuration(self, store: Reader) -> HostConfiguration:
        """The configuration of the next session, as things stand."""
        return self.pending.get(store) or self.current.get(store)

    def update_configuration(
        self, store: Overlay, change: Callable[[HostConfiguration], HostConfiguration]
    ) -> None:
        """Change the pending configuration; several updates in one session add up (A8).

        :raises BadConfiguration: when it would be out of its bounds.
        """
        changed = change(self.next_configuration(store))
        check_configuration(changed)
        self.pending.put(store, changed)

    def _apply(self, store: Overlay, config: HostConfiguration) -> None:
        self.current.put(store, config)
        self.active_config.put(store, abridged(config))

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Nothing."""

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the stored configurations contradict a rule or each other."""
        for config in (self.configuration(store), self.next_configuration(store)):
            if reason := breach(config):
                raise RuntimeBug(f"Configuration: {reason}")
        if reason := pov_size_breach(self.pov_size_limit.get(store)):
            raise RuntimeBug(f"Configuration: {reason}")
        if self.active_config.get(store) != abridged(self.configuration(store)):
            raise RuntimeBug("ActiveConfig does not follow the configuration")


def check_configuration(config: HostConfiguration) -> None:
    """:raises BadConfiguration: when it is out of its bounds (A9)."""
    if reason := breach(config):
        raise BadConfiguration(reason)


def abridged(config: HostConfiguration) -> AbridgedHostConfiguration:
    """The part of the configuration that parachains read (D29)."""
    none = U32(0)
    return AbridgedHostConfiguration(
        max_code_size=config.max_code_size,
        max_head_data_size=config.max_head_data_size,
        max_upward_queue_count=none,
        max_upward_queue_size=none,
        max_upward_message_size=none,
        max_upward_message_num_per_candidate=none,
        hrmp_max_message_num_per_candidate=none,
        validation_upgrade_cooldown=config.validation_upgrade_frequency,
        validation_upgrade_delay=config.validation_upgrade_delay,
        max_candidate_depth=none,
        allowed_ancestry_len=none,
    )


assert {call.declared.name for call in Configuration.calls} == {
    f"set_{field.name}" for field in fields(HostConfiguration)
}
