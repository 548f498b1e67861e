"""The runtime's modules and how they know each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import ValidatorId
from parahost.runtime.authorship import Authorship
from parahost.runtime.babe import Babe
from parahost.runtime.balances import Balances
from parahost.runtime.contradictions import Contradictions
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.grandpa import Grandpa
from parahost.runtime.module import Module, RuntimeCall, RuntimeEvent
from parahost.runtime.offences import Offences
from parahost.runtime.origin import Origin
from parahost.runtime.parachains.approvals import Approvals
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.disputes import Disputes
from parahost.runtime.parachains.host import Parachains
from parahost.runtime.parachains.included import IncludedCandidates
from parahost.runtime.parachains.inclusion import Inclusion
from parahost.runtime.parachains.inclusion_inherent import InclusionInherent
from parahost.runtime.parachains.initializer import Initializer
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.paras import Paras
from parahost.runtime.parachains.remote_disputes import RemoteDisputes
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.parachains.validity import Validity
from parahost.runtime.parachains.windows import Windows
from parahost.runtime.parathreads import Parathreads
from parahost.runtime.registrar import Registrar
from parahost.runtime.session import Session, SessionChange, Validators
from parahost.runtime.slashing import Slashing
from parahost.runtime.staking import Staking
from parahost.runtime.storage import Overlay, Reader
from parahost.runtime.sudo import NestedCall, Sudo, SudoCall
from parahost.runtime.system import System
from parahost.runtime.timestamp import Timestamp
from parahost.runtime.transaction_payment import TransactionPayment
from parahost.runtime.upgrade_signals import UpgradeSignals
from parahost.runtime.validity_parameters import ValidityParameters


def module_table(*modules: type[Module]) -> tuple[type[Module], ...]:
    """Modules in the order of their numbers.

    :raises TypeError: when they are in another, or two have one number or one name.
    """
    pallets = [module.pallet for module in modules]
    for one, following in pairwise(pallets):
        if following < one:
            raise TypeError(f"{following} comes after {one}")
    different = set(pallets)
    for what in ("index", "name"):
        if len({getattr(pallet, what) for pallet in different}) < len(different):
            raise TypeError(f"two modules have one {what}: {sorted(different)}")
    return modules


MODULE_TABLE: Final = module_table(
    System,
    Babe,
    Timestamp,
    Balances,
    Authorship,
    Staking,
    Offences,
    Session,
    Grandpa,
    TransactionPayment,
    Configuration,
    Inclusion,
    InclusionInherent,
    Scheduler,
    Paras,
    UpgradeSignals,
    Initializer,
    Disputes,
    Slashing,
    Registrar,
    Parathreads,
    ValidityParameters,
    Windows,
    IncludedCandidates,
    Validity,
    Approvals,
    RemoteDisputes,
    Contradictions,
    Sudo,
)
"""All modules, in the order of their numbers."""

RuntimeCall.__scale_members__ = tuple(made for module in MODULE_TABLE for made in module.calls)
NestedCall.__scale_members__ = tuple(
    made for made in RuntimeCall.__scale_members__ if made is not SudoCall
)
RuntimeEvent.__scale_members__ = tuple(told for module in MODULE_TABLE for told in module.events)


def _calls_of(dispatch_class: DispatchClass) -> tuple[type[RuntimeCall], ...]:
    calls = (made for module in MODULE_TABLE for made in module.calls)
    return tuple(made for made in calls if made.declared.dispatch_class is dispatch_class)


INHERENTS: Final = _calls_of(DispatchClass.MANDATORY)
"""The inherents in the order in which they open each block's body, each exactly once."""
OPTIONAL_INHERENTS: Final = _calls_of(DispatchClass.OPERATIONAL)
"""What a block's author may bring besides, in this order after them, each at most once."""
AUTHORS_CALLS: Final = INHERENTS + OPTIONAL_INHERENTS
"""What nobody but a block's author brings."""


class Modules:
    """One instance of each module; they have no state of their own."""

    def __init__(self, verifier: Verifier) -> None:
        self.system = System()
        self.balances = Balances(self.system)
        self.transaction_payment = TransactionPayment(self.system, self.balances)
        self.session = Session(self.system)
        self.validity_parameters = ValidityParameters()
        self.staking = Staking(self.system, self.balances, self.session)
        self.slashing = Slashing(self.system, self.session, self.staking, self.validity_parameters)
        self.offences = Offences(self.system, self.slashing)
        self.babe = Babe(self.system, self.session, self.offences, verifier)
        self.contradictions = Contradictions(self.session, self.offences, verifier)
        self.timestamp = Timestamp(self.babe)
        self.authorship = Authorship(self.babe, self.session, self.slashing)
        self.grandpa = Grandpa(self.system, self.session, self.offences, verifier)
        self.parachains = Parachains(
            self.system,
            verifier,
            claims=self.babe,
            parameters=self.validity_parameters,
            slashing=self.slashing,
        )
        paras, configuration = self.parachains.paras, self.parachains.configuration
        self.upgrade_signals = UpgradeSignals(self.system, paras)
        self.registrar = Registrar(self.system, configuration, paras, self.parachains.inclusion)
        self.parathreads = Parathreads(self.system, self.parachains.scheduler)
        self.sudo = Sudo(self.system, self.dispatch)

        self._by_call = {made: module for module in self for made in module.calls}

    def __iter__(self) -> Iterator[Module]:
        """All modules, in the order of :data:`MODULE_TABLE`."""
        base = [module for module in vars(self).values() if isinstance(module, Module)]
        return iter(
            sorted((*base, *self.parachains), key=lambda each: MODULE_TABLE.index(type(each)))
        )

    def dispatch(self, store: Overlay, origin: Origin, call: RuntimeCall) -> None:
        """Make a call.

        :raises BadOrigin: when it comes from another origin than its entry point asks for.
        :raises DispatchError: when its entry point refuses.
        """
        self._by_call[type(call)].dispatch(store, origin, call)

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
        for module in self:
            module.check(store)
        for session in self.parachains.included.sessions.keys(store):
            if not self.session.past_keys.contains(store, session):
                raise RuntimeBug(f"session {session} can be disputed, its accounts are forgotten")


def para_validators(validators: Validators) -> tuple[ValidatorId, ...]:
    """The keys with which the validators sign statements and bitfields."""
    return tuple(validator.keys.para_validator for validator in validators)
