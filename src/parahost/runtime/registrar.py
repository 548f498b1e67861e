"""Registrar: which paras there are. Governance decides; nobody swaps anything."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives import acceptance
from parahost.primitives.basic import HeadData, ParaId, ValidationCode
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Module, RuntimeCall, RuntimeEvent, call, entry_point, event
from parahost.runtime.origin import Root
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.inclusion import Inclusion
from parahost.runtime.parachains.paras import NotRegistered, ParaGenesisArgs, Paras
from parahost.runtime.storage import Overlay, Reader
from parahost.runtime.system import System
from parahost.runtime.weights import micros, nanos

# Types


class InvalidCode(ModuleError, index=0):
    """The blob cannot be a para's validation code."""

    def __init__(self, reason: acceptance.UnfitCode) -> None:
        super().__init__(str(reason))
        self.reason = reason


class HeadDataTooLarge(ModuleError, index=1):
    """The head is over the limit."""

    def __init__(self, reason: acceptance.HeadTooLarge) -> None:
        super().__init__(str(reason))
        self.reason = reason


class UpgradePlanned(ModuleError, index=2):
    """New code is planned for the para already, or announced by its candidate that is pending."""

    def __init__(self, para: ParaId) -> None:
        super().__init__(f"another code upgrade of para {para} is under way")
        self.para = para


@call(0, "register", weight=lambda call: micros(250) + nanos(15) * len(call.validation_code))
@dataclass(frozen=True, slots=True)
class Register(RuntimeCall):
    """Let a para come with the next session; it is a parachain or a parathread."""

    para: ParaId
    genesis_head: HeadData
    validation_code: ValidationCode
    parachain: bool


@call(1, "deregister", weight=micros(150))
@dataclass(frozen=True, slots=True)
class Deregister(RuntimeCall):
    """Let a para go with the next session."""

    para: ParaId


@call(
    2,
    "schedule_code_upgrade",
    weight=lambda call: micros(250) + nanos(15) * len(call.validation_code),
)
@dataclass(frozen=True, slots=True)
class ScheduleCodeUpgrade(RuntimeCall):
    """Give a para new code, as if its newest block had asked for it."""

    para: ParaId
    validation_code: ValidationCode


@event(0)
@dataclass(frozen=True, slots=True)
class Registered(RuntimeEvent):
    """A para comes with the next session."""

    para: ParaId


@event(1)
@dataclass(frozen=True, slots=True)
class Deregistered(RuntimeEvent):
    """A para goes with the next session."""

    para: ParaId


class Registrar(Module, pallet=Pallet(70, "Registrar")):
    """Which paras there are, by governance's decision."""

    calls = (Register, Deregister, ScheduleCodeUpgrade)
    events = (Registered, Deregistered)
    errors = (InvalidCode, HeadDataTooLarge, UpgradePlanned)

    def __init__(
        self, system: System, configuration: Configuration, paras: Paras, inclusion: Inclusion
    ) -> None:
        self._system = system
        self._configuration = configuration
        self._paras = paras
        self._inclusion = inclusion

    # Entry points

    @entry_point(Register, origin=Root)
    def register(self, store: Overlay, _origin: Root, call: Register) -> None:
        """:raises UnfitCode: when the code is no Wasm or over the limit.
        :raises HeadTooLarge: when the head is over the limit.
        :raises AlreadyRegistered: when the para is there or comes already.
        """
        self._check_code(store, call.validation_code)
        self._check_head(store, call.genesis_head)
        args = ParaGenesisArgs(call.genesis_head, call.validation_code, call.parachain)
        self._paras.schedule_para_initialize(store, call.para, args)
        self._system.deposit_event(store, Registered(call.para))

    @entry_point(Deregister, origin=Root)
    def deregister(self, store: Overlay, _origin: Root, call: Deregister) -> None:
        """:raises NotRegistered: when the para to go is not there."""
        self._paras.schedule_para_cleanup(store, call.para)
        self._system.deposit_event(store, Deregistered(call.para))

    @entry_point(ScheduleCodeUpgrade, origin=Root)
    def schedule_code_upgrade(
        self, store: Overlay, _origin: Root, call: ScheduleCodeUpgrade
    ) -> None:
        """:raises InvalidCode: when the code is no Wasm or over the limit.
        :raises NotRegistered: when the para is not there.
        :raises UpgradePlanned: when another upgrade would be lost, or this one.
        """
        self._check_code(store, call.validation_code)
        if not self._paras.is_registered(store, call.para):
            raise NotRegistered(call.para)
        pending = self._inclusion.candidate_pending_availability(store, call.para)
        announced = pending is not None and pending.commitments.new_validation_code is not None
        if announced or self._paras.future_code_upgrades.contains(store, call.para):
            raise UpgradePlanned(call.para)
        expected_at = self._paras.new_code_expected_at(store, self._system.block_number(store))
        self._paras.schedule_code_upgrade(store, call.para, call.validation_code, expected_at)

    # Routines

    def _check_code(self, store: Reader, code: ValidationCode) -> None:
        if unfit := acceptance.unfit_code(
            code, self._configuration.configuration(store).max_code_size
        ):
            raise InvalidCode(unfit)

    def _check_head(self, store: Reader, head: HeadData) -> None:
        limit = self._configuration.configuration(store).max_head_data_size
        if too_large := acceptance.unfit_head(len(head), limit):
            raise HeadDataTooLarge(too_large)
