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
from parahost.runtime.parachains.paras import ParaGenesisArgs, Paras
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


RegistrarCall = Register | Deregister


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

    calls = (Register, Deregister)
    events = (Registered, Deregistered)
    errors = (InvalidCode, HeadDataTooLarge)

    def __init__(self, system: System, configuration: Configuration, paras: Paras) -> None:
        self._system = system
        self._configuration = configuration
        self._paras = paras

    # Entry points

    @entry_point(Register, origin=Root)
    def register(self, store: Overlay, _origin: Root, call: Register) -> None:
        """:raises UnfitCode: when the code is no Wasm or over the limit.
        :raises HeadTooLarge: when the head is over the limit.
        :raises AlreadyRegistered: when the para is there or comes already.
        """
        self._check_genesis(store, call.genesis_head, call.validation_code)
        args = ParaGenesisArgs(call.genesis_head, call.validation_code, call.parachain)
        self._paras.schedule_para_initialize(store, call.para, args)
        self._system.deposit_event(store, Registered(call.para))

    @entry_point(Deregister, origin=Root)
    def deregister(self, store: Overlay, _origin: Root, call: Deregister) -> None:
        """:raises NotRegistered: when the para to go is not there."""
        self._paras.schedule_para_cleanup(store, call.para)
        self._system.deposit_event(store, Deregistered(call.para))

    # Routines

    def _check_genesis(self, store: Reader, head: HeadData, code: ValidationCode) -> None:
        config = self._configuration.configuration(store)
        if unfit := acceptance.unfit_code(code, config.max_code_size):
            raise InvalidCode(unfit)
        if too_large := acceptance.unfit_head(len(head), config.max_head_data_size):
            raise HeadDataTooLarge(too_large)
