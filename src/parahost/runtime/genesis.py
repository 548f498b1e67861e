"""The genesis block: from what a chain's founders decide to a state and a header."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from parahost.primitives.acceptance import unfit_code, unfit_head
from parahost.primitives.basic import H256, U32, U64, ZERO_HASH, BlockNumber, ParaId, SessionIndex
from parahost.primitives.configuration import HostConfiguration
from parahost.primitives.consensus import AllowedSlots, EpochConfiguration
from parahost.primitives.errors import InputError
from parahost.primitives.header import Header
from parahost.primitives.validity_configuration import ValidityConfiguration
from parahost.runtime.balances import BadEndowment, Endowment
from parahost.runtime.errors import DispatchError
from parahost.runtime.executive import extrinsics_root
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.configuration import (
    DEFAULT_CONFIGURATION,
    MAX_POV_SIZE,
    BadConfiguration,
)
from parahost.runtime.parachains.paras import ParaGenesisArgs, TooManyParachains
from parahost.runtime.read_only import MODULES
from parahost.runtime.session import SessionChange, Validators
from parahost.runtime.staking import BadStake
from parahost.runtime.storage import Overlay, State
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    BadValidityConfiguration,
)

MAX_SLOT_MS = 600_000
MAX_GENESIS_EPOCH_SLOTS = 100_000
MAX_C_DENOMINATOR = 1_000_000


class BadGenesis(InputError):
    """The founders' decisions make no chain; ``part`` names the field of the configuration."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason


@dataclass(frozen=True, slots=True)
class GenesisConfig:
    """What a chain begins with.

    ``c`` is the part of slots that have a primary author, as numerator and denominator; the rest
    falls to secondary authors in turn, with a VRF output all the same (D20). An epoch is a
    session; its length is in slots. ``balances``: who has what, which pays for transactions;
    ``stakes``: which part of it is at stake.
    """

    validators: Validators
    sudo: AccountId | None = None
    configuration: HostConfiguration = field(default=DEFAULT_CONFIGURATION)
    max_pov_size: U32 = MAX_POV_SIZE
    validity: ValidityConfiguration = field(default=DEFAULT_VALIDITY_CONFIGURATION)
    paras: tuple[tuple[ParaId, ParaGenesisArgs], ...] = ()
    balances: tuple[Endowment, ...] = ()
    stakes: tuple[Endowment, ...] = ()
    slot_duration_ms: int = 6000
    epoch_length: int = 600
    c: tuple[int, int] = (1, 4)

    def build(self) -> State:
        """The state of the genesis block.

        :raises BadGenesis: when the parts contradict a rule.
        """
        self._check()
        store = Overlay(State.from_raw({}))
        try:
            MODULES.session.genesis(store, self.validators)
        except DispatchError as error:
            raise BadGenesis("validators", str(error)) from error
        MODULES.babe.genesis(
            store,
            self.validators,
            EpochConfiguration(
                (U64(self.c[0]), U64(self.c[1])), AllowedSlots.PRIMARY_AND_SECONDARY_VRF
            ),
            slot_duration=U64(self.slot_duration_ms),
            epoch_duration=U64(self.epoch_length),
        )
        try:
            MODULES.balances.genesis(store, self.balances)
        except BadEndowment as error:
            raise BadGenesis("balances", str(error)) from error
        try:
            MODULES.staking.genesis(store, self.stakes)
        except BadStake as error:
            raise BadGenesis("stakes", str(error)) from error
        try:
            MODULES.validity_parameters.genesis(store, self.validity)
        except BadValidityConfiguration as error:
            raise BadGenesis("validity", str(error)) from error
        MODULES.grandpa.genesis(store, self.validators)
        MODULES.sudo.genesis(store, self.sudo)
        try:
            MODULES.parachains.genesis(
                store, self.configuration, self.paras, max_pov_size=self.max_pov_size
            )
        except BadConfiguration as error:
            raise BadGenesis("configuration", str(error)) from error
        except TooManyParachains as error:
            raise BadGenesis("paras", str(error)) from error
        first_session = SessionChange(
            SessionIndex(U32(0)), self.validators, self.validators, changed=True
        )
        MODULES.parachains.on_session_change(store, MODULES.notification_of(store, first_session))
        return store.commit()

    def _check(self) -> None:
        for part, value, greatest in (
            ("slot_duration_ms", self.slot_duration_ms, MAX_SLOT_MS),
            ("epoch_length", self.epoch_length, MAX_GENESIS_EPOCH_SLOTS),
        ):
            if not 1 <= value <= greatest:
                raise BadGenesis(part, f"{value} is not 1 to {greatest}")
        if not 0 < self.c[0] <= self.c[1] <= MAX_C_DENOMINATOR:
            raise BadGenesis(
                "c",
                f"{self.c[0]}/{self.c[1]} is not above 0 and at most 1, with a denominator up to "
                f"{MAX_C_DENOMINATOR}",
            )
        repeated = [para for para, n in Counter(para for para, _ in self.paras).items() if n > 1]
        if repeated:
            raise BadGenesis("paras", f"para {repeated[0]} is there twice")
        for para, args in self.paras:
            self._check_para(para, args)

    def _check_para(self, para: ParaId, args: ParaGenesisArgs) -> None:
        config = self.configuration
        reason = unfit_code(args.validation_code, config.max_code_size) or unfit_head(
            len(args.genesis_head), config.max_head_data_size
        )
        if reason is not None:
            raise BadGenesis("paras", f"para {para}: {reason}")


def genesis_header(state: State) -> Header:
    """The header of the genesis block with that state; its hash names the chain."""
    return Header(
        parent_hash=ZERO_HASH,
        number=BlockNumber(U32(0)),
        state_root=H256(state.root),
        extrinsics_root=H256(extrinsics_root(())),
    )
