"""Registrar: which paras there are. Governance decides; nobody swaps anything."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives import acceptance
from parahost.primitives.basic import HeadData, ParaId, ValidationCode
from parahost.primitives.scale import variant
from parahost.runtime.errors import ModuleError
from parahost.runtime.events import Deregistered, Registered
from parahost.runtime.origin import Origin, ensure_root
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.paras import ParaGenesisArgs, Paras
from parahost.runtime.storage import Module, Overlay, Reader
from parahost.runtime.system import System
from parahost.runtime.weights import micros, nanos, weighs

# Types


class UnfitCode(ModuleError, pallet="Registrar", index=0):
    """The blob cannot be a para's validation code."""

    def __init__(self, reason: acceptance.UnfitCode) -> None:
        super().__init__(str(reason))
        self.reason = reason


class HeadTooLarge(ModuleError, pallet="Registrar", index=1):
    def __init__(self, reason: acceptance.HeadTooLarge) -> None:
        super().__init__(str(reason))
        self.reason = reason


@variant(Pallet.Registrar, 0)
@weighs(lambda call: micros(250) + nanos(15) * len(call.validation_code))
@dataclass(frozen=True, slots=True)
class Register:
    """Let a para come with the next session; it is a parachain or a parathread."""

    para: ParaId
    genesis_head: HeadData
    validation_code: ValidationCode
    parachain: bool


@variant(Pallet.Registrar, 1)
@weighs(micros(150))
@dataclass(frozen=True, slots=True)
class Deregister:
    """Let a para go with the next session."""

    para: ParaId


RegistrarCall = Register | Deregister


class Registrar(Module, pallet="Registrar"):
    def __init__(self, system: System, configuration: Configuration, paras: Paras) -> None:
        self._system = system
        self._configuration = configuration
        self._paras = paras

    # Entry points

    def dispatch(self, store: Overlay, origin: Origin, call: RegistrarCall) -> None:
        """:raises BadOrigin: when not governance calls.
        :raises UnfitCode: when the code is no Wasm or over the limit.
        :raises HeadTooLarge: when the head is over the limit.
        :raises AlreadyRegistered: when the para is there or comes already.
        :raises NotRegistered: when the para to go is not there.
        """
        ensure_root(origin)
        match call:
            case Register(para, head, code, parachain):
                self._check_genesis(store, head, code)
                args = ParaGenesisArgs(head, code, parachain)
                self._paras.schedule_para_initialize(store, para, args)
                self._system.deposit_event(store, Registered(para))
            case Deregister(para):
                self._paras.schedule_para_cleanup(store, para)
                self._system.deposit_event(store, Deregistered(para))

    # Routines

    def _check_genesis(self, store: Reader, head: HeadData, code: ValidationCode) -> None:
        config = self._configuration.configuration(store)
        if unfit := acceptance.unfit_code(code, config.max_code_size):
            raise UnfitCode(unfit)
        if too_large := acceptance.unfit_head(len(head), config.max_head_data_size):
            raise HeadTooLarge(too_large)
